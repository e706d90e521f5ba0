//! What is on its way to a subscriber: written events, bounded by their size. Knows neither HTTP nor the cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc;

/// What an event costs beside its bytes.
const OVERHEAD: usize = 64;

/// Where events of this kind go in.
pub struct Sender<E> {
    events: mpsc::UnboundedSender<Bytes>,
    queued: Arc<AtomicUsize>,
    most: usize,
    write: Box<dyn Fn(&E) -> Bytes + Send>,
    cut: Box<dyn Fn() + Send>,
}

/// Where they come out.
pub struct Receiver {
    events: mpsc::UnboundedReceiver<Bytes>,
    queued: Arc<AtomicUsize>,
}

/// Makes a queue of at most so many bytes.
///
/// `write` turns an event into bytes. `cut` is called when too much waits; it is to end the subscriber's connection, and
/// what waits goes when the receiver is dropped.
pub fn bounded<E>(
    most: usize,
    write: impl Fn(&E) -> Bytes + Send + 'static,
    cut: impl Fn() + Send + 'static,
) -> (Sender<E>, Receiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let (write, cut) = (Box::new(write), Box::new(cut));
    (Sender { events: sender, queued: Arc::clone(&queued), most, write, cut }, Receiver { events: receiver, queued })
}

impl<E> Sender<E> {
    /// Sends an event; `false` if that was too much, and the stream ends. One event alone is never too much.
    pub fn send(&self, event: &E) -> bool {
        let event = (self.write)(event);
        let waiting = self.queued.load(Ordering::Relaxed);
        if waiting > 0 && waiting.saturating_add(cost(&event)) > self.most {
            tracing::warn!("A subscriber does not read: {waiting} bytes wait for it, and its stream ends");
            (self.cut)();
            return false;
        }
        self.queued.fetch_add(cost(&event), Ordering::Relaxed);
        // A client that has left is about to be noticed.
        let _ = self.events.send(event);
        true
    }
}

impl Receiver {
    /// The next event; `None` at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let event = self.events.poll_recv(context);
        if let Poll::Ready(Some(event)) = &event {
            self.queued.fetch_sub(cost(event), Ordering::Relaxed);
        }
        event
    }
}

fn cost(event: &Bytes) -> usize {
    event.len().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn queue(most: usize) -> (Sender<usize>, Receiver, Arc<AtomicBool>) {
        let cut = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cut);
        let write = |size: &usize| Bytes::from(vec![0; *size]);
        let (sender, receiver) = bounded(most, write, move || flag.store(true, Ordering::Relaxed));
        (sender, receiver, cut)
    }

    fn read(receiver: &mut Receiver) -> usize {
        let waker = futures_util::task::noop_waker();
        match receiver.poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(event)) => event.len(),
            other => panic!("expected an event, got {other:?}"),
        }
    }

    #[test]
    fn a_subscriber_that_does_not_read_is_cut() {
        let (sender, _receiver, cut) = queue(1000);
        assert!(sender.send(&400) && sender.send(&400));
        assert!(!cut.load(Ordering::Relaxed));
        assert!(!sender.send(&400));
        assert!(cut.load(Ordering::Relaxed));
    }

    #[test]
    fn a_subscriber_that_reads_gets_any_amount() {
        let (sender, mut receiver, cut) = queue(1000);
        for _ in 0..100 {
            assert!(sender.send(&400) && sender.send(&400));
            assert_eq!((read(&mut receiver), read(&mut receiver)), (400, 400));
        }
        assert!(!cut.load(Ordering::Relaxed));
    }

    #[test]
    fn one_event_alone_is_never_too_much() {
        let (sender, mut receiver, cut) = queue(1000);
        assert!(sender.send(&5000));
        assert_eq!(read(&mut receiver), 5000);
        assert!(sender.send(&5000) && !sender.send(&1) && cut.load(Ordering::Relaxed));
    }
}
