//! What a command runs, and where.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::docker::Docker;
use super::reaper::{Identity, Output, Program, Spawner, Terminal};
use crate::local::backend::StartError;
use crate::proto::v1;

/// Where a task's commands run.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub directory: PathBuf,
    /// Of two variables with the same name the later one counts.
    pub environment: Vec<(OsString, OsString)>,
    /// Whom they run as, if not as this process.
    pub identity: Option<Identity>,
    pub spawner: Arc<Spawner>,
    /// The container with an image that they run in, if it is one.
    pub inside: Option<Inside>,
}

/// A container of Docker's.
#[derive(Debug, Clone)]
pub struct Inside {
    pub docker: Arc<Docker>,
    pub container: String,
}

/// What a command runs: a shell, or a program with its arguments, `argv[0]` included; one with a slash in its relative
/// name is looked for in the directory.
pub fn program(info: &v1::CommandInfo, surroundings: &Surroundings, output: Output) -> Result<Program, StartError> {
    let (executable, arguments) = if info.shell() {
        let value =
            info.value.as_ref().ok_or_else(|| StartError::NotExecuted("Shell command is not specified".to_owned()))?;
        (PathBuf::from("/bin/sh"), ["sh", "-c", value].map(OsString::from).to_vec())
    } else {
        let named = info.value.as_deref().or(info.arguments.first().map(String::as_str));
        let named = named.ok_or_else(|| StartError::NotExecuted("no executable is named".to_owned()))?;
        let executable = if named.contains('/') { surroundings.directory.join(named) } else { PathBuf::from(named) };
        let arguments: Vec<OsString> = info.arguments.iter().map(OsString::from).collect();
        let own_name = || vec![executable.clone().into_os_string()];
        let arguments = if arguments.is_empty() { own_name() } else { arguments };
        (executable, arguments)
    };
    Ok(Program {
        executable,
        arguments,
        environment: surroundings.environment.clone(),
        directory: surroundings.directory.clone(),
        output,
        identity: surroundings.identity.clone(),
        terminal: Terminal::Left,
    })
}
