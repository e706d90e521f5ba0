//! In which order clients are served: hierarchical dominant resource fairness. Clients are roles, or the frameworks of a
//! role. Follows `src/master/allocator/mesos/sorter/drf/sorter.cpp`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::str::Split;
use std::sync::Arc;

use super::quantities::Quantities;

const DEFAULT_WEIGHT: f64 = 1.0;
/// The leaf of a client that has clients below it, as `a` has if there is also `a/b`.
const OWN: &str = ".";

/// Sorts clients, whose paths (`a/b/c`) form a tree.
#[derive(Debug, Default)]
pub struct Sorter {
    root: Node,
    /// By path, also of paths without a client.
    weights: HashMap<String, f64>,
    /// Whether shares have to be computed and sorted anew.
    dirty: bool,
}

/// A client if it is a leaf; else only a part of the paths of those below it.
#[derive(Debug, Clone, Default)]
struct Node {
    path: Arc<str>,
    kind: Kind,
    /// What it and those below it hold.
    allocated: Quantities,
    /// How often it or one below it was allocated something.
    count: u64,
    /// Read once, as the real one does: only clients' weights can be changed afterwards.
    weight: Option<f64>,
    children: BTreeMap<Arc<str>, Node>,
    /// The children that are no inactive clients, in order, unless the sorter is dirty.
    order: Vec<Rank>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    Active,
    Inactive,
    #[default]
    Inner,
}

/// What decides between siblings.
#[derive(Debug, Clone)]
struct Rank {
    share: f64,
    count: u64,
    name: Arc<str>,
}

impl Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_share = self.share.total_cmp(&other.share);
        by_share.then_with(|| self.count.cmp(&other.count)).then_with(|| self.name.cmp(&other.name))
    }
}

impl Sorter {
    /// A sorter in which these paths have weights.
    pub fn new(weights: impl IntoIterator<Item = (String, f64)>) -> Self {
        Self { weights: weights.into_iter().collect(), ..Self::default() }
    }

    /// Adds a client, inactive.
    pub fn add(&mut self, path: &str) {
        self.root.add(path.split('/'));
        self.dirty = true;
    }

    /// Removes a client, and what it holds.
    pub fn remove(&mut self, path: &str) {
        self.root.remove(path.split('/'));
        self.dirty = true;
    }

    /// Whether a client is known.
    pub fn contains(&self, path: &str) -> bool {
        self.root.find(path.split('/')).is_some()
    }

    /// Whether there are no clients.
    pub fn is_empty(&self) -> bool {
        self.root.children.is_empty()
    }

    /// Sorts a client in from now on.
    pub fn activate(&mut self, path: &str) {
        self.turn(path, Kind::Active);
    }

    /// Leaves a client out from now on. What it holds counts as before for those above it.
    pub fn deactivate(&mut self, path: &str) {
        self.turn(path, Kind::Inactive);
    }

    fn turn(&mut self, path: &str, kind: Kind) {
        self.root.walk(path.split('/'), &mut |node| {
            if node.kind != Kind::Inner {
                node.kind = kind;
            }
        });
        self.dirty = true;
    }

    /// Weighs a path: its share is divided by the weight.
    pub fn set_weight(&mut self, path: &str, weight: f64) {
        self.weights.insert(path.to_owned(), weight);
        self.dirty = true;
        if self.contains(path) {
            let of_path = |node: &mut Node| {
                if &*node.path == path {
                    node.weight = Some(weight);
                }
            };
            self.root.walk(path.split('/'), &mut { of_path });
        }
    }

    /// What all clients hold.
    pub fn allocated_to_all(&self) -> &Quantities {
        &self.root.allocated
    }

    /// A client was chosen and gets this.
    pub fn allocated(&mut self, path: &str, quantities: &Quantities, total: &Quantities) {
        if !self.contains(path) {
            return;
        }
        let order = (!self.dirty).then_some((total, &self.weights));
        self.root.allocated(path.split('/'), quantities, order);
    }

    /// A client gives this back. It does not get better by that: how often it was chosen stays.
    pub fn unallocated(&mut self, path: &str, quantities: &Quantities) {
        if self.contains(path) {
            self.root.walk(path.split('/'), &mut |node| node.allocated.subtract(quantities));
            self.dirty = true;
        }
    }

    /// What there is to share out has changed.
    pub fn total_changed(&mut self) {
        self.dirty = true;
    }

    /// The active clients, in the order in which they are served.
    pub fn sort(&mut self, total: &Quantities) -> Vec<Arc<str>> {
        if self.dirty {
            self.root.sort(total, &self.weights);
            self.dirty = false;
        }
        let mut clients = Vec::new();
        self.root.list(&mut clients);
        clients
    }
}

impl Node {
    fn child(&self, name: &str, kind: Kind) -> Self {
        let path = if self.path.is_empty() { name.into() } else { format!("{}/{name}", self.path).into() };
        Self { path, kind, ..Self::default() }
    }

    fn add(&mut self, mut names: Split<'_, char>) {
        if self.kind != Kind::Inner {
            let own = Self { kind: self.kind, ..self.own() };
            self.children.insert(OWN.into(), own);
            self.kind = Kind::Inner;
        }
        let Some(name) = names.next() else {
            self.children.insert(OWN.into(), self.child(OWN, Kind::Inactive));
            return;
        };
        let last = names.clone().next().is_none();
        match self.children.get_mut(name) {
            Some(child) => child.add(names),
            None if last => drop(self.children.insert(name.into(), self.child(name, Kind::Inactive))),
            None => {
                let mut child = self.child(name, Kind::Inner);
                child.add(names);
                self.children.insert(name.into(), child);
            }
        }
    }

    fn own(&self) -> Self {
        Self { allocated: self.allocated.clone(), count: self.count, ..self.child(OWN, self.kind) }
    }

    /// Returns what the client held.
    fn remove(&mut self, mut names: Split<'_, char>) -> Quantities {
        let name = names.next().unwrap_or(OWN);
        let Some(child) = self.children.get_mut(name) else {
            return Quantities::default();
        };
        let leaf = child.kind != Kind::Inner;
        let held = if leaf { child.allocated.clone() } else { child.remove(names) };
        if leaf || (child.kind == Kind::Inner && child.children.is_empty()) {
            self.children.remove(name);
        }
        self.allocated.subtract(&held);
        if self.children.len() == 1
            && !self.path.is_empty()
            && let Some(own) = self.children.remove(OWN)
        {
            self.kind = own.kind;
        }
        held
    }

    fn find(&self, mut names: Split<'_, char>) -> Option<&Self> {
        match (self.kind, names.next()) {
            (Kind::Inner, name) => self.children.get(name.unwrap_or(OWN))?.find(names),
            (_, None) => Some(self),
            (_, Some(_)) => None,
        }
    }

    /// Calls `visit` with every node from here down to the client.
    fn walk(&mut self, mut names: Split<'_, char>, visit: &mut impl FnMut(&mut Self)) {
        visit(self);
        if self.kind == Kind::Inner
            && let Some(child) = self.children.get_mut(names.next().unwrap_or(OWN))
        {
            child.walk(names, visit);
        }
    }

    /// Counts an allocation on the way to a client. If all is sorted, it stays so.
    fn allocated(
        &mut self,
        mut names: Split<'_, char>,
        quantities: &Quantities,
        order: Option<(&Quantities, &HashMap<String, f64>)>,
    ) {
        self.allocated.add(quantities);
        self.count = self.count.saturating_add(1);
        if self.kind != Kind::Inner {
            return;
        }
        let name = names.next().unwrap_or(OWN);
        let Some(child) = self.children.get_mut(name) else {
            return;
        };
        let Some((total, weights)) = order else {
            return child.allocated(names, quantities, order);
        };
        let before = child.rank(name, total, weights);
        child.allocated(names, quantities, order);
        let after = child.rank(name, total, weights);
        if let Ok(position) = self.order.binary_search_by(|rank| rank.cmp(&before)) {
            self.order.remove(position);
            let position = self.order.partition_point(|rank| rank.cmp(&after) == Ordering::Less);
            self.order.insert(position, after);
        }
    }

    fn rank(&mut self, name: &str, total: &Quantities, weights: &HashMap<String, f64>) -> Rank {
        let weight = *self.weight.get_or_insert_with(|| weights.get(&*self.path).copied().unwrap_or(DEFAULT_WEIGHT));
        let part = |(name, all): (&str, f64)| self.allocated.get(name) / all;
        let share = total.iter().map(part).fold(0.0, f64::max);
        Rank { share: share / weight, count: self.count, name: name.into() }
    }

    fn sort(&mut self, total: &Quantities, weights: &HashMap<String, f64>) {
        self.order.clear();
        for (name, child) in &mut self.children {
            if child.kind != Kind::Inactive {
                self.order.push(child.rank(name, total, weights));
            }
            if child.kind == Kind::Inner {
                child.sort(total, weights);
            }
        }
        self.order.sort_unstable_by(Rank::cmp);
    }

    fn list(&self, clients: &mut Vec<Arc<str>>) {
        for rank in &self.order {
            match self.children.get(&rank.name) {
                Some(child) if child.kind == Kind::Inner => child.list(clients),
                Some(_) if &*rank.name == OWN => clients.push(self.path.clone()),
                Some(child) => clients.push(child.path.clone()),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cpus: f64) -> Quantities {
        Quantities::new([("cpus", cpus)])
    }

    fn sorter(paths: &[&str]) -> Sorter {
        let mut sorter = Sorter::default();
        for path in paths {
            sorter.add(path);
            sorter.activate(path);
        }
        sorter
    }

    fn sorted(sorter: &mut Sorter) -> Vec<String> {
        sorter.sort(&of(100.0)).iter().map(|path| path.to_string()).collect()
    }

    #[test]
    fn share_then_how_often_then_path_decides() {
        let mut sorter = sorter(&["b", "a", "c"]);
        assert_eq!(sorted(&mut sorter), ["a", "b", "c"]);
        sorter.allocated("a", &of(2.0), &of(100.0));
        assert_eq!(sorted(&mut sorter), ["b", "c", "a"]);
        sorter.unallocated("a", &of(2.0));
        assert_eq!(sorted(&mut sorter), ["b", "c", "a"], "it was chosen once");
        sorter.allocated("b", &of(1.0), &of(100.0));
        sorter.unallocated("b", &of(1.0));
        assert_eq!(sorted(&mut sorter), ["c", "a", "b"]);
    }

    #[test]
    fn allocations_keep_a_sorted_tree_sorted() {
        let paths = ["a", "a/x", "a/y", "b/x", "b", "c", "d/e/f"];
        let (mut kept, mut anew) = (sorter(&paths), sorter(&paths));
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let path = paths[random.usize(..paths.len())];
            let some = of(f64::from(random.u32(0..4)) / 8.0);
            for sorter in [&mut kept, &mut anew] {
                sorter.allocated(path, &some, &of(100.0));
            }
            anew.total_changed();
            assert_eq!(sorted(&mut kept), sorted(&mut anew));
        }
    }

    #[test]
    fn a_client_may_have_clients_below_it() {
        let mut sorter = sorter(&["a", "b"]);
        sorter.allocated("a", &of(10.0), &of(100.0));
        sorter.allocated("b", &of(12.0), &of(100.0));
        sorter.add("a/x");
        sorter.activate("a/x");
        sorter.allocated("a/x", &of(1.0), &of(100.0));
        assert_eq!(sorted(&mut sorter), ["a/x", "a", "b"]);
        sorter.allocated("a/x", &of(5.0), &of(100.0));
        assert_eq!(sorted(&mut sorter), ["b", "a/x", "a"], "together they have more than b");
        sorter.remove("a/x");
        assert_eq!(sorted(&mut sorter), ["a", "b"]);
        sorter.remove("a");
        assert_eq!(sorter.allocated_to_all(), &of(12.0));
        assert!(!sorter.contains("a") && sorter.contains("b"));
    }

    #[test]
    fn removing_a_client_leaves_those_below_it() {
        let mut sorter = sorter(&["a", "a/x", "a/y"]);
        sorter.remove("a");
        assert_eq!(sorted(&mut sorter), ["a/x", "a/y"]);
        sorter.remove("a/x");
        sorter.remove("a/y");
        assert!(sorter.is_empty());
    }

    #[test]
    fn inactive_clients_count_for_those_above_them() {
        let mut sorter = sorter(&["a/x", "a/y", "b"]);
        sorter.allocated("a/x", &of(10.0), &of(100.0));
        sorter.allocated("b", &of(5.0), &of(100.0));
        sorter.deactivate("a/x");
        assert_eq!(sorted(&mut sorter), ["b", "a/y"]);
    }

    #[test]
    fn weights_of_any_level_divide_shares() {
        let mut sorter = Sorter::new([("a".to_owned(), 10.0), ("a/y".to_owned(), 4.0)]);
        for path in ["a/x", "a/y", "b"] {
            sorter.add(path);
            sorter.activate(path);
        }
        for (path, cpus) in [("a/x", 4.0), ("a/y", 8.0), ("b", 2.0)] {
            sorter.allocated(path, &of(cpus), &of(100.0));
        }
        assert_eq!(sorted(&mut sorter), ["a/y", "a/x", "b"]);
        sorter.set_weight("a/y", 1.0);
        sorter.set_weight("b", 1000.0);
        assert_eq!(sorted(&mut sorter), ["b", "a/x", "a/y"]);
    }
}
