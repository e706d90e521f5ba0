//! The masters that may be subscribed to, and whose turn it is.
//!
//! | | current | the next attempt |
//! |---|---|---|
//! | [`Candidates::redirected`] | the one that is named | at once |
//! | [`Candidates::failed`], and others were not tried since the last wait | the next one | at once |
//! | [`Candidates::failed`], and every one was tried since the last wait | the next one | after a wait |
//! | [`Candidates::lost`] | the next one | after a wait |
//!
//! So every round of attempts waits once, and so does every loss of a subscription, whatever the masters do.

use super::Endpoint;

/// Redirects followed in a row before they count as a failed attempt.
const REDIRECTS_MAX: u8 = 5;

/// What a detector knows: no master, the one that leads, or several of which any may lead or know who does; and where
/// the attempts to subscribe stand.
///
/// ```
/// use remesos::session::{Candidates, Endpoint};
///
/// let [first, second] = ["first", "second"].map(|host| Endpoint::new(false, host, 5050));
/// let mut candidates = Candidates::from(vec![first.clone(), second.clone()]);
/// assert_eq!(candidates.current(), Some(&first));
/// assert!(candidates.failed(), "the second one is tried at once");
/// assert_eq!(candidates.current(), Some(&second));
/// assert!(!candidates.failed(), "all have failed: the next attempt has to wait");
/// assert_eq!(candidates.current(), Some(&first));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    masters: Vec<Endpoint>,
    /// Whose turn it is.
    turn: usize,
    /// How many have failed since the last wait.
    failed: usize,
    /// Where the one whose turn it is redirected to.
    leader: Option<Endpoint>,
    redirects: u8,
}

impl From<Vec<Endpoint>> for Candidates {
    fn from(masters: Vec<Endpoint>) -> Self {
        Self { masters, ..Self::default() }
    }
}

impl From<Endpoint> for Candidates {
    fn from(master: Endpoint) -> Self {
        vec![master].into()
    }
}

impl From<Option<Endpoint>> for Candidates {
    fn from(master: Option<Endpoint>) -> Self {
        master.into_iter().collect::<Vec<_>>().into()
    }
}

impl Candidates {
    /// Whether no master is known.
    pub fn is_empty(&self) -> bool {
        self.masters.is_empty()
    }

    /// Whether these are the same masters, wherever the attempts stand.
    pub fn are(&self, others: &Self) -> bool {
        self.masters == others.masters
    }

    /// Whether there are several.
    pub fn are_several(&self) -> bool {
        self.masters.len() > 1
    }

    /// Whom to subscribe to.
    pub fn current(&self) -> Option<&Endpoint> {
        self.leader.as_ref().or_else(|| self.masters.get(self.turn))
    }

    /// The current one redirects to another.
    ///
    /// Fails, with the reason, if that is not followed.
    pub fn redirected(&mut self, to: Endpoint) -> Result<(), String> {
        self.redirects = self.redirects.saturating_add(1);
        if self.redirects > REDIRECTS_MAX {
            return Err(format!("redirected {REDIRECTS_MAX} times in a row"));
        }
        if self.current().is_some_and(|from| from.tls) && !to.tls {
            return Err(format!("redirected from https to {to}, which is not followed"));
        }
        self.leader = Some(to);
        Ok(())
    }

    /// The current one took the subscription.
    pub fn subscribed(&mut self) {
        self.redirects = 0;
    }

    /// The attempt failed, and it is the next one's turn; whether at once, because not every one has failed since the
    /// last wait.
    pub fn failed(&mut self) -> bool {
        self.failed = self.failed.saturating_add(1);
        let others_left = self.failed < self.masters.len();
        if !others_left {
            self.failed = 0;
        }
        self.pass();
        others_left
    }

    /// The subscription was lost: it is the next one's turn, after a wait.
    pub fn lost(&mut self) {
        self.failed = 0;
        self.pass();
    }

    /// The attempt failed, or the subscription was lost if it was there; whether the next attempt may follow at once.
    pub fn give_up(&mut self, was_subscribed: bool) -> bool {
        if was_subscribed {
            self.lost();
            return false;
        }
        self.failed()
    }

    /// Who is tried next, for logs: `again` if there is only one.
    pub fn who_is_next(&self) -> String {
        let next = self.current().filter(|_| self.are_several());
        next.map_or_else(|| "again".to_owned(), ToString::to_string)
    }

    /// The one whose turn it is redirected to this one before, which is asked at once.
    pub fn known(&mut self, leader: Endpoint) {
        self.leader = Some(leader);
    }

    fn pass(&mut self) {
        self.leader = None;
        self.redirects = 0;
        self.turn = self.turn.saturating_add(1).checked_rem(self.masters.len()).unwrap_or_default();
    }
}

impl std::fmt::Display for Candidates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: Vec<_> = self.masters.iter().map(ToString::to_string).collect();
        f.write_str(&shown.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hosts: &[&str]) -> Candidates {
        hosts.iter().map(|host| Endpoint::new(true, *host, 5050)).collect::<Vec<_>>().into()
    }

    fn current(candidates: &Candidates) -> &str {
        candidates.current().map_or("", |master| &master.host)
    }

    #[test]
    fn every_round_of_failed_attempts_waits_once() {
        let mut three = of(&["a", "b", "c"]);
        let mut seen = Vec::new();
        for _ in 0..7 {
            let at = current(&three).to_owned();
            seen.push((at, three.failed()));
        }
        let seen: Vec<_> = seen.iter().map(|(at, at_once)| (at.as_str(), *at_once)).collect();
        let round = [("a", true), ("b", true), ("c", false)];
        assert_eq!(seen, [&round[..], &round, &[("a", true)]].concat());
    }

    #[test]
    fn a_lost_subscription_waits_and_a_whole_round_of_attempts_follows() {
        let mut two = of(&["a", "b"]);
        assert!(two.failed());
        two.subscribed();
        two.lost();
        assert_eq!(current(&two), "a");
        assert!(two.failed());
        assert!(!two.failed());
    }

    #[test]
    fn a_leader_that_fails_counts_for_the_one_that_named_it() {
        let mut two = of(&["a", "b"]);
        two.redirected(Endpoint::new(true, "leader", 1)).expect("followed");
        assert_eq!(current(&two), "leader");
        assert!(two.failed());
        assert_eq!(current(&two), "b");
        two.redirected(Endpoint::new(true, "leader", 1)).expect("followed");
        two.subscribed();
        two.lost();
        assert_eq!(current(&two), "a");
    }

    #[test]
    fn redirects_end_after_some_and_before_a_plain_connection() {
        let mut one = of(&["a"]);
        assert!(one.redirected(Endpoint::new(false, "plain", 1)).expect_err("not followed").contains("http://plain:1"));
        for _ in 1..REDIRECTS_MAX {
            one.redirected(Endpoint::new(true, "b", 1)).expect("followed");
        }
        assert!(one.redirected(Endpoint::new(true, "b", 1)).is_err());
        assert!(!one.failed());
        assert_eq!(current(&one), "a");
        one.redirected(Endpoint::new(true, "b", 1)).expect("they are counted anew");
    }

    #[test]
    fn nobody_s_turn_stays_nobody_s() {
        let mut none = Candidates::default();
        assert!(!none.failed());
        none.lost();
        assert_eq!(none.current(), None);
    }
}
