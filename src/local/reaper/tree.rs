//! Which processes there are and whose children they are, from `/proc`, without a call that is not async-signal-safe
//! and without allocating. Where there is no `/proc` there seem to be none.

/// A process.
#[derive(Clone, Copy)]
pub struct Process {
    pub id: i32,
    pub parent: i32,
    pub group: i32,
}

/// More are not looked at by [`Processes`].
const MAX: usize = 16_384;

/// All processes at one moment, about 200 kB.
pub struct Processes {
    all: [Process; MAX],
    count: usize,
}

impl Processes {
    pub const fn none() -> Self {
        Self { all: [Process { id: 0, parent: 0, group: 0 }; MAX], count: 0 }
    }

    /// Takes in all processes that there are.
    pub fn look(&mut self) {
        for_each(|process| {
            if let Some(slot) = self.all.get_mut(self.count) {
                *slot = process;
                self.count += 1;
            }
        });
    }

    /// All that descend from `ancestor`, which is not among them.
    pub fn descendants_of(&mut self, ancestor: i32) -> &[Process] {
        // The descendants found so far are moved to the front.
        let (mut found, mut asked, mut next) = (0, 0, ancestor);
        loop {
            let searched = found;
            for at in searched..self.count {
                if self.all[at].parent == next {
                    self.all.swap(at, found);
                    found += 1;
                }
            }
            if asked == found {
                return &self.all[..found];
            }
            next = self.all[asked].id;
            asked += 1;
        }
    }
}

/// In Linux' `/proc`, processes come in the order of their ids, each at its id plus this (`TGID_OFFSET` in
/// `fs/proc/base.c`). If that changes other processes are looked at first, and nothing else.
#[cfg(target_os = "linux")]
const OFFSET: libc::off_t = 258;

/// Calls for every process that there is.
pub fn for_each(each: impl FnMut(Process)) {
    for_each_from(0, usize::MAX, each);
}

/// Calls for so many processes at most whose ids are not less than `id`: children of a process mostly follow it.
#[cfg(target_os = "linux")]
pub fn for_each_from(id: i32, most: usize, mut each: impl FnMut(Process)) {
    let mut left = most;
    #[repr(align(8))]
    struct Buffer([u8; 8192]);
    let mut buffer = Buffer([0; 8192]);
    // SAFETY: the descriptor is our own, and the kernel writes no more than the buffer holds.
    unsafe {
        let proc = libc::open(c"/proc".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC);
        if id > 0 {
            libc::lseek(proc, OFFSET + libc::off_t::from(id), libc::SEEK_SET);
        }
        while left > 0 {
            let got = libc::syscall(libc::SYS_getdents64, proc, buffer.0.as_mut_ptr(), buffer.0.len());
            let Some(mut entries) =
                usize::try_from(got).ok().filter(|got| *got > 0).and_then(|got| buffer.0.get(..got))
            else {
                break;
            };
            while let Some((id, rest)) = entry(entries).filter(|_| left > 0) {
                entries = rest;
                left -= 1;
                if let Some(process) = id.and_then(|name| read(proc, name)) {
                    each(process);
                }
            }
        }
        libc::close(proc);
    }
}

/// Calls for no process: none is known here.
#[cfg(not(target_os = "linux"))]
pub fn for_each_from(_: i32, _: usize, _: impl FnMut(Process)) {}

/// The first `linux_dirent64`, if it is a number that number, and what follows it.
#[cfg(target_os = "linux")]
fn entry(entries: &[u8]) -> Option<(Option<i32>, &[u8])> {
    let length = usize::from(u16::from_ne_bytes([*entries.get(16)?, *entries.get(17)?]));
    let name = entries.get(19..length)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    Some((number(name.get(..end)?), entries.get(length..)?))
}

#[cfg(target_os = "linux")]
fn number(digits: &[u8]) -> Option<i32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| i32::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// A process, if it is still there.
#[cfg(target_os = "linux")]
unsafe fn read(proc: i32, id: i32) -> Option<Process> {
    let (mut path, mut stat) = ([0_u8; 20], [0_u8; 512]);
    write_path(&mut path, id);
    // SAFETY: the path ends with a zero, and the kernel writes no more than the buffer holds.
    let got = unsafe {
        let file = libc::openat(proc, path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC);
        let got = libc::read(file, stat.as_mut_ptr().cast(), stat.len());
        libc::close(file);
        got
    };
    parse(id, stat.get(..usize::try_from(got).ok()?)?)
}

/// `ID/stat`, with a zero at its end.
#[cfg(target_os = "linux")]
fn write_path(path: &mut [u8; 20], id: i32) {
    let (mut digits, mut count, mut rest) = ([0_u8; 10], 0, id.unsigned_abs());
    while rest > 0 || count == 0 {
        digits[count] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        count += 1;
        rest /= 10;
    }
    digits[..count].reverse();
    path[..count].copy_from_slice(&digits[..count]);
    path[count..count + 5].copy_from_slice(b"/stat");
}

/// Of `ID (NAME) STATE PARENT GROUP ...`, as proc_pid_stat(5) has it; the name may hold anything.
#[cfg(target_os = "linux")]
fn parse(id: i32, stat: &[u8]) -> Option<Process> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(name_end + 2..)?.split(|byte| *byte == b' ').skip(1);
    let (parent, group) = (number(fields.next()?)?, number(fields.next()?)?);
    Some(Process { id, parent, group })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::{Process, Processes, parse};

    #[test]
    fn a_name_may_hold_parentheses_and_blanks() {
        let process = parse(7, b"7 (a) R 1 (b) S 12 34 56 0 -1").expect("parsed");
        assert_eq!((process.parent, process.group), (12, 34));
        assert!(parse(7, b"").is_none());
    }

    #[test]
    fn this_process_is_seen() {
        let own = i32::try_from(std::process::id()).expect("small");
        let mut seen = false;
        super::for_each(|process| seen |= process.id == own && process.group == nix::unistd::getpgrp().as_raw());
        assert!(seen);
    }

    #[test]
    fn this_process_is_the_first_from_its_id_on() {
        let own = i32::try_from(std::process::id()).expect("small");
        let mut seen = Vec::new();
        super::for_each_from(own, 1, |process| seen.push(process.id));
        assert_eq!(seen, [own]);
    }

    #[test]
    fn descendants_are_found_in_any_order() {
        let mut processes = Processes::none();
        for (id, parent) in [(9, 5), (5, 3), (3, 1), (4, 2), (2, 1), (6, 3), (7, 6)] {
            processes.all[processes.count] = Process { id, parent, group: id };
            processes.count += 1;
        }
        let mut found: Vec<i32> = processes.descendants_of(3).iter().map(|process| process.id).collect();
        found.sort_unstable();
        assert_eq!(found, [5, 6, 7, 9]);
    }
}
