//! What a framework was told so far, in short, for those who want to see it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use foldhash::fast::RandomState;
use prost::Message;

use crate::proto::v1;
use crate::wire::states::is_terminal;
use crate::wire::views::StatusView;

/// So many tasks that are over are remembered, so that an update that comes again is not counted again.
const REMEMBERED: usize = 1000;

/// The stream of events that a driver reads.
///
/// ```
/// use remesos::session::Summary;
///
/// let mut summary = Summary::default();
/// summary.opened("http://master:5050".to_owned(), Some("stream"));
/// assert_eq!(summary.connection(), None, "the framework is not registered yet");
/// summary.registered(&b"\n\tframework"[..].into(), &Default::default());
/// assert_eq!(summary.connection().map(|open| open.stream_id.as_str()), Some("stream"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// Where the master's or the agent's API is.
    pub url: String,
    /// The id of the stream, `Mesos-Stream-Id`. Empty if the other side gave none.
    pub stream_id: String,
}

/// A framework as its scheduler knows it.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::session::Summary;
///
/// let mut summary = Summary::default();
/// let id = v1::TaskId { value: "task".to_owned() };
/// for state in [v1::TaskState::TaskRunning, v1::TaskState::TaskFinished, v1::TaskState::TaskFinished] {
///     let status = v1::TaskStatus { task_id: id.clone(), state: state.into(), ..Default::default() };
///     summary.updated(&status.encode_to_vec());
/// }
/// assert_eq!(summary.counts().collect::<Vec<_>>(), [(v1::TaskState::TaskFinished, 1)]);
/// ```
#[derive(Debug, Default)]
pub struct Summary {
    framework_id: Option<String>,
    master: Option<String>,
    connected: bool,
    connection: Option<Connection>,
    /// The states of tasks that are not over and of the last ones that are, by their ids.
    tasks: HashMap<Box<[u8]>, v1::TaskState, RandomState>,
    over: VecDeque<Box<[u8]>>,
    counts: BTreeMap<v1::TaskState, usize>,
}

impl Summary {
    /// A stream of events is open; whether the framework is registered is not known yet.
    pub fn opened(&mut self, url: String, stream_id: Option<&str>) {
        self.connection = Some(Connection { url, stream_id: stream_id.unwrap_or_default().to_owned() });
    }

    /// A master has registered the framework.
    pub fn registered(&mut self, framework_id: &Bytes, master_info: &Bytes) {
        self.connected = true;
        if let Ok(id) = v1::FrameworkId::decode(framework_id.clone()) {
            self.framework_id = Some(id.value);
        }
        self.master = v1::MasterInfo::decode(master_info.clone()).ok().map(|info| {
            let host = info.address.as_ref().and_then(|a| a.hostname.clone()).or(info.hostname).unwrap_or_default();
            let port = info.address.map_or_else(|| info.port, |address| address.port.cast_unsigned());
            format!("{host}:{port}")
        });
    }

    /// The connection to the master is lost.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// A status update, as the bytes of its `TaskStatus`, has come.
    pub fn updated(&mut self, status: &[u8]) {
        let Ok(status) = StatusView::read(status) else { return };
        let (state, id) = (status.state(), status.task_id.unwrap_or_default());
        let before = self.tasks.get_mut(id).map(|known| std::mem::replace(known, state));
        if before == Some(state) {
            return;
        }
        match before {
            Some(before) => {
                if let Some(count) = self.counts.get_mut(&before) {
                    *count = count.saturating_sub(1);
                }
            }
            None => drop(self.tasks.insert(id.into(), state)),
        }
        let count = self.counts.entry(state).or_default();
        *count = count.saturating_add(1);
        if is_terminal(state) && !before.is_some_and(is_terminal) {
            self.over.push_back(id.into());
            self.forget();
        }
    }

    /// Forgets the one that has been over for longest, if there are many.
    fn forget(&mut self) {
        if self.over.len() > REMEMBERED
            && let Some(oldest) = self.over.pop_front()
            && self.tasks.get(&oldest).copied().is_some_and(is_terminal)
        {
            self.tasks.remove(&oldest);
        }
    }

    /// Returns the framework's id, once a master has registered it.
    pub fn framework_id(&self) -> Option<&str> {
        self.framework_id.as_deref()
    }

    /// Returns the address of the master that registered the framework last.
    pub fn master(&self) -> Option<&str> {
        self.master.as_deref()
    }

    /// Returns whether the scheduler is connected to that master.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Returns the connection to that master, while there is one.
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref().filter(|_| self.connected)
    }

    /// Returns how many tasks are in each state, by the updates that have come.
    pub fn counts(&self) -> impl Iterator<Item = (v1::TaskState, usize)> {
        self.counts.iter().filter(|(_, count)| **count > 0).map(|(state, count)| (*state, *count))
    }
}
