//! Where the sandboxes of executors are, by the paths that clients ask for. Follows the calls of `attach` in
//! `src/slave/slave.cpp`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::machine::Machine;

impl Machine {
    /// The sandboxes by path: each by its own, and an executor's last one without the agent and the container, too.
    pub fn sandboxes(&self) -> BTreeMap<String, PathBuf> {
        let mut places = BTreeMap::new();
        for agent in self.agents.values() {
            // The last of those that are one executor is the latest.
            for executor in agent.executors() {
                let place = self.files(&agent.config().id, &executor.sandbox());
                let latest = place.parent().map(|runs| runs.join("latest"));
                let (framework, id) = (executor.framework_id(), &executor.info.executor_id.value);
                places.insert(format!("/frameworks/{framework}/executors/{id}/runs/latest"), place.clone());
                let own = std::iter::once(place.clone()).chain(latest);
                places.extend(own.map(|path| (path.display().to_string(), place.clone())));
            }
        }
        places
    }
}
