//! What a container runs, and how a reaper is told of it: in one piece of memory that needs no more allocation.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

/// Where `execvp(3)` looks if there is no `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// What a container runs.
#[derive(Debug)]
pub struct Program {
    /// A path, or a name that is looked for in the `PATH` of the environment.
    pub executable: PathBuf,
    /// The arguments, `argv[0]` included.
    pub arguments: Vec<OsString>,
    /// All of its environment; of two variables with the same name the later one counts.
    pub environment: Vec<(OsString, OsString)>,
    pub directory: PathBuf,
    pub output: Output,
    /// Whom it runs as, if not as this process.
    pub identity: Option<Identity>,
    pub terminal: Terminal,
}

/// Where standard output and error go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To the files `stdout` and `stderr` in the directory, which are appended to.
    Files,
    Nowhere,
    /// To where those of the process that started the spawner go. Standard input comes from there too.
    Inherited,
}

/// A user with groups.
#[derive(Debug, Clone)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// What the container has to do with the terminal of the process that started the spawner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// Nothing: it leads a session of its own, with default signal handlers, and is killed as a whole when its first
    /// process ends.
    Left,
    /// It is in this process group, and ignores the signals that are ignored there. What its first process leaves
    /// when it ends by itself stays.
    Shared { group: i32 },
}

/// Numbers in front of the strings of a request.
const NUMBERS: usize = 10;

impl Program {
    /// The request for a reaper: its length, numbers, groups, and strings that end with a zero.
    ///
    /// Fails if something has a zero byte within.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let (executables, environment) = (self.executables(), self.environment());
        let of = |number: usize| u32::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        let nobody = Identity { uid: 0, gid: 0, groups: Vec::new() };
        let identity = self.identity.as_ref().unwrap_or(&nobody);
        let group = match self.terminal {
            Terminal::Left => 0,
            Terminal::Shared { group } => group.cast_unsigned(),
        };
        let numbers: [u32; NUMBERS - 1] = [
            group,
            self.output as u32,
            self.identity.is_some().into(),
            identity.uid,
            identity.gid,
            of(identity.groups.len())?,
            of(executables.len())?,
            of(self.arguments.len())?,
            of(environment.len())?,
        ];
        let mut body: Vec<u8> = numbers.iter().chain(&identity.groups).flat_map(|n| n.to_ne_bytes()).collect();
        let mut add = |text: &OsStr| {
            body.extend_from_slice(CString::new(text.as_bytes())?.as_bytes_with_nul());
            io::Result::Ok(())
        };
        add(self.directory.as_os_str())?;
        executables.iter().try_for_each(|path| add(path.as_os_str()))?;
        self.arguments.iter().try_for_each(|argument| add(argument))?;
        for (name, value) in environment {
            let mut variable = name.to_owned();
            variable.push("=");
            variable.push(value);
            add(&variable)?;
        }
        let length = of(body.len())?.to_ne_bytes();
        Ok([length.as_slice(), &body].concat())
    }

    fn environment(&self) -> BTreeMap<&OsStr, &OsStr> {
        self.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())).collect()
    }

    /// Where the executable may be, in the order to try.
    fn executables(&self) -> Vec<PathBuf> {
        if self.executable.as_os_str().as_bytes().contains(&b'/') {
            return vec![self.executable.clone()];
        }
        let path = self.environment.iter().rev().find(|(name, _)| name == "PATH");
        let path = path.map_or(OsStr::new(DEFAULT_PATH), |(_, value)| value);
        std::env::split_paths(path).map(|directory| Path::new(".").join(directory).join(&self.executable)).collect()
    }
}

/// A request as a reaper has it: pointers into memory that stays.
pub struct Request {
    /// The process group to be in; none to lead a session.
    pub group: Option<i32>,
    pub output: u32,
    pub identity: Option<(u32, u32)>,
    pub groups: (usize, *const u32),
    pub directory: *const libc::c_char,
    executables: (usize, *const libc::c_char),
    /// Ends with a null; one free place is before the first.
    arguments: *mut *const libc::c_char,
    environment: *mut *const libc::c_char,
}

impl Request {
    /// The memory that a request of this length needs beside its own, for pointers to arguments and variables.
    const fn pointers(arguments: usize, environment: usize) -> usize {
        (arguments + environment + 3) * size_of::<*const libc::c_char>()
    }

    /// Reads a request without its length. Async-signal-safe; `None` if there is no memory.
    ///
    /// # Safety
    ///
    /// `body` is what [`Program::encode`] made, is aligned for numbers, and stays.
    pub unsafe fn decode(body: *const u8) -> Option<Self> {
        let numbers = body.cast::<u32>();
        // SAFETY: all is as `encode` laid it out, and memory for the pointers is taken below.
        unsafe {
            let number = |at: usize| *numbers.add(at);
            let count = |at: usize| number(at) as usize;
            let (groups, executables, arguments, environment) = (count(5), count(6), count(7), count(8));
            let memory = allocate(Self::pointers(arguments, environment))?.cast::<*const libc::c_char>();
            let mut text = numbers.add(NUMBERS - 1 + groups).cast::<libc::c_char>();
            let directory = text;
            text = following(text);
            let first_executable = text;
            for _ in 0..executables {
                text = following(text);
            }
            let mut fill = |place: *mut *const libc::c_char, count: usize| {
                for at in 0..count {
                    *place.add(at) = text;
                    text = following(text);
                }
                *place.add(count) = null();
            };
            let argument_pointers = memory.add(1);
            fill(argument_pointers, arguments);
            let environment_pointers = argument_pointers.add(arguments + 1);
            fill(environment_pointers, environment);
            Some(Self {
                group: (number(0) != 0).then(|| number(0).cast_signed()),
                output: number(1),
                identity: (number(2) != 0).then(|| (number(3), number(4))),
                groups: (groups, numbers.add(NUMBERS - 1)),
                directory,
                executables: (executables, first_executable),
                arguments: argument_pointers,
                environment: environment_pointers,
            })
        }
    }

    /// Executes the program, as `execvpe(3)` does; returns only if that fails, with the number of the error.
    ///
    /// # Safety
    ///
    /// The memory of the request is as `decode` left it.
    pub unsafe fn execute(&self) -> i32 {
        let mut error = libc::ENOENT;
        let (count, mut path) = self.executables;
        for _ in 0..count {
            // SAFETY: the arrays end with a null, the strings with a zero. A file without a first line that names its
            // interpreter is a shell's; the place before the arguments is free for that.
            unsafe {
                libc::execve(path, self.arguments, self.environment);
                match super::system::errno() {
                    libc::ENOEXEC => {
                        let arguments = self.arguments.sub(1);
                        (*arguments, *self.arguments) = (c"/bin/sh".as_ptr(), path);
                        libc::execve(*arguments, arguments, self.environment);
                        return super::system::errno();
                    }
                    libc::EACCES => error = libc::EACCES,
                    libc::ENOENT | libc::ENOTDIR => {}
                    other => return other,
                }
                path = following(path);
            }
        }
        error
    }
}

/// What is behind a string and its zero.
unsafe fn following(text: *const libc::c_char) -> *const libc::c_char {
    // SAFETY: the string ends with a zero, and more follows or is not read.
    unsafe { text.add(CStr::from_ptr(text).to_bytes_with_nul().len()) }
}

/// Memory of zeros that is never given back. Async-signal-safe; `None` if there is none.
pub unsafe fn allocate(size: usize) -> Option<*mut u8> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
    // SAFETY: asks for memory of its own.
    let memory = unsafe { libc::mmap(null_mut(), size.max(1), protection, flags, -1, 0) };
    (memory != libc::MAP_FAILED).then(|| memory.cast())
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::{Identity, Output, Program, Request, Terminal, following};

    fn program() -> Program {
        Program {
            executable: "tool".into(),
            arguments: vec!["tool".into(), "-x".into()],
            environment: vec![
                ("PATH".into(), "/".into()),
                ("EMPTY".into(), "".into()),
                ("PATH".into(), "/a:/b".into()),
            ],
            directory: "/somewhere".into(),
            output: Output::Nowhere,
            identity: Some(Identity { uid: 7, gid: 8, groups: vec![8, 9] }),
            terminal: Terminal::Left,
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let encoded = program().encode().expect("encoded");
        let length = u32::from_ne_bytes(encoded[..4].try_into().expect("four bytes"));
        assert_eq!(length as usize, encoded.len() - 4);
        let aligned: Vec<u32> = encoded[4..]
            .chunks(4)
            .map(|c| {
                let mut bytes = [0; 4];
                bytes[..c.len()].copy_from_slice(c);
                u32::from_ne_bytes(bytes)
            })
            .collect();
        // SAFETY: it is what `encode` made, aligned, and outlives the request; strings end with zeros.
        unsafe {
            let text = |at: *const libc::c_char| CStr::from_ptr(at).to_str().expect("text").to_owned();
            let request = Request::decode(aligned.as_ptr().cast()).expect("memory");
            assert_eq!((request.group, request.output, request.identity), (None, Output::Nowhere as u32, Some((7, 8))));
            assert_eq!(std::slice::from_raw_parts(request.groups.1, request.groups.0), [8, 9]);
            assert_eq!(text(request.directory), "/somewhere");
            let (count, first) = request.executables;
            assert_eq!((count, text(first), text(following(first))), (2, "/a/tool".into(), "/b/tool".into()));
            assert_eq!([text(*request.arguments), text(*request.arguments.add(1))], ["tool", "-x"]);
            assert!((*request.arguments.add(2)).is_null() && (*request.environment.add(2)).is_null());
            assert_eq!([text(*request.environment), text(*request.environment.add(1))], ["EMPTY=", "PATH=/a:/b"]);
        }
    }

    #[test]
    fn a_zero_byte_is_refused() {
        let program = Program { arguments: vec!["a\0b".into()], ..program() };
        assert_eq!(program.encode().expect_err("refused").kind(), std::io::ErrorKind::InvalidInput);
    }
}
