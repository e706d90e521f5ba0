//! Which processes there are and whose children they are, from `/proc`, without a call that is not async-signal-safe
//! and without allocating. Where there is no `/proc` there seem to be none.

/// More descendants are not found.
const MAX: usize = 16_384;

/// The processes that descend from one, about 64 kB.
pub struct Descendants {
    ids: [i32; MAX],
    count: usize,
}

impl Descendants {
    /// All that descend from `ancestor` at this moment, which is not among them.
    pub fn of(ancestor: i32) -> Self {
        let mut found = Self { ids: [0; MAX], count: 0 };
        let (mut asked, mut next) = (0, ancestor);
        loop {
            for_each_child(next, |child| {
                if let Some(slot) = found.ids.get_mut(found.count) {
                    *slot = child;
                    found.count += 1;
                }
            });
            if asked == found.count {
                return found;
            }
            next = found.ids[asked];
            asked += 1;
        }
    }

    pub fn ids(&self) -> &[i32] {
        &self.ids[..self.count]
    }
}

/// Calls for every child of a process. Some may be left out while others end.
pub fn for_each_child(parent: i32, mut each: impl FnMut(i32)) {
    #[cfg(target_os = "linux")]
    if !linux::for_each_listed_child(parent, &mut each) {
        linux::for_each_process(|id, its_parent| {
            if its_parent == parent {
                each(id);
            }
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (parent, &mut each);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::CStr;

    /// Calls for every child in the lists that the kernel has for each thread (`CONFIG_PROC_CHILDREN`); false if there
    /// are none.
    pub fn for_each_listed_child(parent: i32, mut each: impl FnMut(i32)) -> bool {
        let mut tasks = Path::new();
        tasks.push(b"/proc/").push_number(parent).push(b"/task");
        let mut are_lists = true;
        for_each_number_in(tasks.get(), |thread| {
            let mut path = Path::new();
            path.push(b"/proc/").push_number(parent).push(b"/task/").push_number(thread).push(b"/children");
            are_lists &= read_list(path.get(), &mut each);
        });
        are_lists
    }

    /// Calls for every number in a file, each with a blank behind it; false if there is no such file.
    fn read_list(path: &CStr, mut each: impl FnMut(i32)) -> bool {
        let (mut buffer, mut number) = ([0_u8; 4096], None);
        // SAFETY: the descriptor is our own, and the kernel writes no more than the buffer holds.
        unsafe {
            let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            if file == -1 {
                return false;
            }
            loop {
                let got = libc::read(file, buffer.as_mut_ptr().cast(), buffer.len());
                let got = usize::try_from(got).ok().and_then(|got| buffer.get(..got));
                let Some(got) = got.filter(|got| !got.is_empty()) else { break };
                for byte in got {
                    if byte.is_ascii_digit() {
                        number = Some(number.unwrap_or(0_i32).wrapping_mul(10).wrapping_add((byte - b'0').into()));
                    } else if let Some(number) = number.take() {
                        each(number);
                    }
                }
            }
            libc::close(file);
        }
        true
    }

    /// Calls for every process with its parent.
    pub fn for_each_process(mut each: impl FnMut(i32, i32)) {
        for_each_number_in(c"/proc", |id| {
            if let Some(parent) = parent_of(id) {
                each(id, parent);
            }
        });
    }

    /// Calls for every entry of a directory that is a number.
    fn for_each_number_in(directory: &CStr, mut each: impl FnMut(i32)) {
        #[repr(align(8))]
        struct Buffer([u8; 8192]);
        let mut buffer = Buffer([0; 8192]);
        // SAFETY: the descriptor is our own, and the kernel writes no more than the buffer holds.
        unsafe {
            let open = libc::open(directory.as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC);
            loop {
                let got = libc::syscall(libc::SYS_getdents64, open, buffer.0.as_mut_ptr(), buffer.0.len());
                let got = usize::try_from(got).ok().and_then(|got| buffer.0.get(..got));
                let Some(mut entries) = got.filter(|got| !got.is_empty()) else { break };
                while let Some((id, rest)) = entry(entries) {
                    entries = rest;
                    id.into_iter().for_each(&mut each);
                }
            }
            libc::close(open);
        }
    }

    /// The first `linux_dirent64`, if it is a number that number, and what follows it.
    fn entry(entries: &[u8]) -> Option<(Option<i32>, &[u8])> {
        let length = usize::from(u16::from_ne_bytes([*entries.get(16)?, *entries.get(17)?]));
        let name = entries.get(19..length)?;
        let end = name.iter().position(|byte| *byte == 0)?;
        Some((number(name.get(..end)?), entries.get(length..)?))
    }

    fn number(digits: &[u8]) -> Option<i32> {
        if digits.is_empty() {
            return None;
        }
        digits.iter().try_fold(0_i32, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| i32::from(digit - b'0'))?;
            number.checked_mul(10)?.checked_add(digit)
        })
    }

    /// The parent of a process, if that is still there.
    fn parent_of(id: i32) -> Option<i32> {
        let (mut path, mut stat) = (Path::new(), [0_u8; 512]);
        path.push(b"/proc/").push_number(id).push(b"/stat");
        // SAFETY: the path ends with a zero, and the kernel writes no more than the buffer holds.
        let got = unsafe {
            let file = libc::open(path.get().as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            let got = libc::read(file, stat.as_mut_ptr().cast(), stat.len());
            libc::close(file);
            got
        };
        parse(stat.get(..usize::try_from(got).ok()?)?)
    }

    /// Of `ID (NAME) STATE PARENT ...`, as proc_pid_stat(5) has it; the name may hold anything.
    fn parse(stat: &[u8]) -> Option<i32> {
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        number(stat.get(name_end + 2..)?.split(|byte| *byte == b' ').nth(1)?)
    }

    /// A short path, made without allocating.
    struct Path {
        bytes: [u8; 64],
        length: usize,
    }

    impl Path {
        const fn new() -> Self {
            Self { bytes: [0; 64], length: 0 }
        }

        fn push(&mut self, text: &[u8]) -> &mut Self {
            // The last one stays zero.
            let room = self.bytes.len() - 1 - self.length;
            let text = &text[..text.len().min(room)];
            self.bytes[self.length..self.length + text.len()].copy_from_slice(text);
            self.length += text.len();
            self
        }

        fn push_number(&mut self, number: i32) -> &mut Self {
            let (mut digits, mut first, mut rest) = ([0_u8; 10], 10, number.unsigned_abs());
            while rest > 0 || first == digits.len() {
                first -= 1;
                digits[first] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
            self.push(&digits[first..])
        }

        fn get(&self) -> &CStr {
            CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{Path, for_each_listed_child, for_each_process, parse};

        #[test]
        fn a_name_may_hold_parentheses_and_blanks() {
            assert_eq!(parse(b"7 (a) R 1 (b) S 12 34 56 0 -1"), Some(12));
            assert!(parse(b"").is_none());
        }

        #[test]
        fn paths_are_put_together() {
            let mut path = Path::new();
            path.push(b"/proc/").push_number(0).push(b"/").push_number(i32::MAX);
            assert_eq!(path.get(), c"/proc/0/2147483647");
            for _ in 0..10 {
                path.push(b"/and/so/on");
            }
            assert_eq!(path.get().to_bytes().len(), 63);
        }

        #[test]
        fn a_child_is_in_the_list_and_among_all_processes() {
            let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("started");
            let (id, own) = (child.id().cast_signed(), std::process::id().cast_signed());
            let (mut listed, mut found) = (Vec::new(), Vec::new());
            let are_lists = for_each_listed_child(own, |child| listed.push(child));
            for_each_process(|process, parent| found.push((process, parent)));
            child.kill().and_then(|()| child.wait()).expect("killed");
            assert!(!are_lists || listed.contains(&id), "{listed:?}");
            assert!(found.contains(&(id, own)));
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::BufRead;
    use std::os::unix::process::CommandExt;

    use super::Descendants;

    #[test]
    fn descendants_are_found_generation_by_generation() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sh -c 'echo $$; sleep 60; :' & wait"])
            .process_group(0)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("started");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        std::io::BufReader::new(output).read_line(&mut line).expect("a line");
        let found = Descendants::of(std::process::id().cast_signed());
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(child.id().cast_signed()), nix::sys::signal::SIGKILL)
            .expect("killed");
        child.wait().expect("ended");
        let grandchild: i32 = line.trim().parse().expect("an id");
        assert!(found.ids().contains(&child.id().cast_signed()) && found.ids().contains(&grandchild));
    }
}
