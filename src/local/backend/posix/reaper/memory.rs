//! Gives back the memory that the spawner has from the process that it is a fork of, and has no use for. Otherwise what
//! that process writes to is kept twice as long as the spawner lives, and each fork of the spawner would cost the more,
//! the larger the process was. Async-signal-safe, and allocates nothing.

/// Smaller mappings stay.
const MIN: usize = 1 << 20;

/// Gives back all large anonymous memory but the stack that this runs on, the thread's own data, and what belongs to
/// libraries.
pub unsafe fn give_back() {
    let on_stack = 0_u8;
    // SAFETY: asks for an address.
    let own_data = unsafe { libc::__errno_location() } as usize;
    let kept = [&raw const on_stack as usize, own_data];
    let mut library_end = 0;
    for_each_line(|line| {
        let Some(mapping) = parse(line) else { return };
        // The zeroed data of a library follows what is read from its file.
        let follows_library = mapping.start == library_end;
        if mapping.of_file {
            library_end = mapping.end;
        }
        let needed = kept.iter().any(|address| (mapping.start..mapping.end).contains(address));
        if mapping.anonymous && !follows_library && !needed && mapping.end - mapping.start >= MIN {
            // SAFETY: nothing that this process will use is there, and what is read by mistake is zero.
            unsafe {
                libc::madvise(mapping.start as *mut libc::c_void, mapping.end - mapping.start, libc::MADV_DONTNEED)
            };
        }
    });
}

struct Mapping {
    start: usize,
    end: usize,
    of_file: bool,
    /// Private, writable, and of no file.
    anonymous: bool,
}

/// Of `START-END PERMISSIONS OFFSET DEVICE INODE [NAME]`, as proc_pid_maps(5) has it.
fn parse(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let mut addresses = fields.next()?.split(|byte| *byte == b'-');
    let (start, end) = (hexadecimal(addresses.next()?)?, hexadecimal(addresses.next()?)?);
    let permissions = fields.next()?;
    let of_file = fields.nth(2)? != b"0";
    let nameless = fields.next().is_none_or(|name| name == b"[heap]");
    Some(Mapping { start, end, of_file, anonymous: !of_file && nameless && permissions == b"rw-p" })
}

fn hexadecimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number.checked_mul(16)? + usize::try_from(digit).ok()?)
    })
}

/// Calls for every line of `/proc/self/maps`.
fn for_each_line(mut each: impl FnMut(&[u8])) {
    let (mut buffer, mut filled) = ([0_u8; 8192], 0);
    // SAFETY: the descriptor is our own, and the kernel writes no more than the buffer holds.
    unsafe {
        let file = libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        loop {
            let got = libc::read(file, buffer.as_mut_ptr().add(filled).cast(), buffer.len() - filled);
            let Some(got) = usize::try_from(got).ok().filter(|got| *got > 0) else { break };
            filled += got;
            while let Some(length) = buffer[..filled].iter().position(|byte| *byte == b'\n') {
                each(&buffer[..length]);
                buffer.copy_within(length + 1..filled, 0);
                filled -= length + 1;
            }
        }
        libc::close(file);
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn anonymous_memory_is_told_from_that_of_files_and_of_the_kernel() {
        let anonymous = |line: &str| parse(line.as_bytes()).expect("parsed").anonymous;
        assert!(anonymous("7f00-7f10 rw-p 00000000 00:00 0"));
        assert!(anonymous("7f00-7f10 rw-p 00000000 00:00 0                          [heap]"));
        assert!(!anonymous("7f00-7f10 r--p 00000000 00:00 0"));
        assert!(!anonymous("7f00-7f10 rw-s 00000000 00:00 0"));
        assert!(!anonymous("7f00-7f10 rw-p 00000000 00:00 0                          [stack]"));
        assert!(!anonymous("7f00-7f10 rw-p 00001000 fe:00 4711   /usr/lib/x86_64-linux-gnu/libc.so.6"));
        let mapping = parse(b"7f00-7f10 rw-p 00000000 00:00 0").expect("parsed");
        assert_eq!((mapping.start, mapping.end, mapping.of_file), (0x7f00, 0x7f10, false));
    }
}
