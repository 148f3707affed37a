//! What lies between two lists, written as `major:minor read written`.

use super::*;

type Line = (u32, u32, u64, u64);

fn reading(lines: &[Line]) -> BlockIoReading {
    let mut reading = BlockIoReading::default();
    for &(major, minor, read, written) in lines {
        // A list has reads and writes apart.
        reading.add(major, minor, BlockIoBytes { read, written: 0 });
        reading.add(major, minor, BlockIoBytes { read: 0, written });
    }
    reading
}

/// The bytes between two lists, in any order of their lines.
fn between(earlier: &[Line], now: &[Line]) -> Option<(u64, u64)> {
    let bytes = reading(now).since(&reading(earlier)).map(|bytes| (bytes.read, bytes.written));
    let (mut earlier_reversed, mut now_reversed) = (earlier.to_vec(), now.to_vec());
    earlier_reversed.reverse();
    now_reversed.reverse();
    let reversed = reading(&now_reversed).since(&reading(&earlier_reversed));
    assert_eq!(bytes, reversed.map(|bytes| (bytes.read, bytes.written)), "{now:?} in reverse");
    now_reversed.rotate_left(usize::from(now.len() > 1));
    let rotated = reading(&now_reversed).since(&reading(earlier));
    assert_eq!(bytes, rotated.map(|bytes| (bytes.read, bytes.written)), "{now:?} rotated");
    bytes
}

/// The bytes since the container started.
fn all(now: &[Line]) -> (u64, u64) {
    between(&[], now).unwrap()
}

#[test]
fn volume_and_disk_with_equal_bytes_count_once() {
    for disk in [8, 65, 202, 259] {
        for volume in [7, 9, 240, 251, 252, 253, 254] {
            assert_eq!(all(&[(disk, 0, 70, 900), (volume, 3, 70, 900)]), (70, 900), "{volume}");
            let bytes = between(
                &[(disk, 0, 70, 900), (volume, 3, 70, 900)],
                &[(disk, 0, 70, 2000), (volume, 3, 70, 2000)],
            );
            assert_eq!(bytes, Some((0, 1100)), "{volume} on {disk}");
        }
    }
}

#[test]
fn managed_instance_counts_its_verified_root_once_and_its_data_disk() {
    let bytes = all(&[(259, 1, 0, 131_072), (259, 0, 48_173_056, 0), (252, 0, 48_173_056, 0)]);
    assert_eq!(bytes, (48_173_056, 131_072));
}

#[test]
fn disks_that_were_used_alike_are_two_disks() {
    for lines in [
        [(8, 0, 70, 900), (8, 16, 70, 900)],
        [(259, 0, 70, 900), (259, 1, 70, 900)],
        [(259, 0, 70, 900), (202, 0, 70, 900)],
        // Virtio disks have a number that the kernel gives out at run time.
        [(254, 0, 70, 900), (254, 16, 70, 900)],
        [(252, 0, 70, 900), (252, 16, 70, 900)],
    ] {
        assert_eq!(all(&lines), (140, 1800), "{lines:?}");
    }
}

#[test]
fn devices_with_other_bytes_both_count() {
    for (volume, expected) in [
        ((253, 0, 73, 900), (143, 1800)),
        ((253, 0, 70, 915), (140, 1815)),
        ((253, 0, 900, 70), (970, 970)),
        ((253, 0, 5, 7), (75, 907)),
    ] {
        assert_eq!(all(&[(8, 0, 70, 900), volume]), expected, "{volume:?}");
    }
}

#[test]
fn disk_may_be_used_past_its_volume_in_the_other_direction() {
    assert_eq!(all(&[(8, 0, 70, 900), (253, 0, 70, 0)]), (70, 900));
    assert_eq!(all(&[(8, 0, 70, 900), (253, 0, 0, 900)]), (70, 900));
    // But not the other way round: what a volume has, its disk has.
    assert_eq!(all(&[(8, 0, 70, 0), (253, 0, 70, 900)]), (140, 900));
}

#[test]
fn growth_tells_if_the_counters_began_at_different_times() {
    let bytes = between(
        &[(8, 0, 5000, 80_000), (253, 0, 0, 0)],
        &[(8, 0, 5100, 88_000), (253, 0, 100, 8000)],
    );
    assert_eq!(bytes, Some((100, 8000)));
}

#[test]
fn counters_that_are_read_a_moment_apart_count_once() {
    const MIB: u64 = 1 << 20;
    // A megabyte has reached the volume and not yet the disk.
    let bytes = between(
        &[(8, 0, 0, 500 * MIB), (253, 0, 0, 500 * MIB)],
        &[(8, 0, 0, 501 * MIB), (253, 0, 0, 502 * MIB)],
    );
    assert_eq!(bytes, Some((0, 2 * MIB)));
    let bytes = between(
        &[(8, 0, 0, 501 * MIB), (253, 0, 0, 502 * MIB)],
        &[(8, 0, 0, 504 * MIB), (253, 0, 0, 504 * MIB)],
    );
    assert_eq!(bytes, Some((0, 3 * MIB)));
}

#[test]
fn volume_on_volume_counts_once() {
    let three = [(259, 0, 70, 900), (253, 0, 70, 900), (253, 1, 70, 900)];
    assert_eq!(all(&three), (70, 900));
    let three = [(259, 0, 70, 900), (9, 0, 70, 900), (253, 1, 70, 900)];
    assert_eq!(all(&three), (70, 900));
}

#[test]
fn two_volumes_with_a_disk_each_count_once_each() {
    let four = [(8, 0, 70, 900), (8, 16, 3, 40), (253, 0, 70, 900), (253, 1, 3, 40)];
    assert_eq!(all(&four), (73, 940));
    let alike = [(8, 0, 70, 900), (8, 16, 70, 900), (253, 0, 70, 900), (253, 1, 70, 900)];
    assert_eq!(all(&alike), (140, 1800));
}

#[test]
fn volumes_on_one_disk_and_volume_on_disks_count_once() {
    assert_eq!(all(&[(259, 0, 73, 940), (253, 0, 70, 900), (253, 1, 3, 40)]), (73, 940));
    assert_eq!(all(&[(259, 0, 70, 900), (259, 1, 3, 40), (253, 0, 73, 940)]), (73, 940));
    assert_eq!(all(&[(8, 0, 70, 900), (8, 16, 3, 40), (9, 127, 73, 940)]), (73, 940));
    // And a disk with a volume of its own beside them.
    let five =
        [(259, 0, 73, 940), (253, 0, 70, 900), (253, 1, 3, 40), (8, 0, 6, 6), (253, 2, 6, 6)];
    assert_eq!(all(&five), (79, 946));
}

#[test]
fn volume_on_a_disk_whose_number_is_given_out_at_run_time_counts_once() {
    assert_eq!(all(&[(252, 0, 70, 900), (253, 0, 70, 900)]), (70, 900));
    assert_eq!(all(&[(254, 0, 70, 900), (253, 0, 70, 900)]), (70, 900));
    // Of three with the same bytes nobody knows: two disks and a volume on one of
    // them, or a disk with two volumes.
    let three = [(252, 0, 70, 900), (252, 16, 70, 900), (253, 0, 70, 900)];
    assert_eq!(all(&three), (210, 2700));
}

#[test]
fn idle_devices_change_nothing() {
    let earlier = [(8, 0, 70, 900), (253, 0, 70, 900), (253, 1, 3, 40)];
    assert_eq!(between(&earlier, &earlier), Some((0, 0)));
    let now = [(8, 0, 70, 950), (253, 0, 70, 950), (253, 1, 3, 40), (8, 16, 0, 0)];
    assert_eq!(between(&earlier, &now), Some((0, 50)));
}

#[test]
fn new_device_had_no_bytes_before() {
    assert_eq!(between(&[(8, 0, 70, 900)], &[(8, 0, 71, 900), (8, 16, 5, 6)]), Some((6, 6)));
    let bytes = between(&[(8, 0, 70, 900)], &[(8, 0, 71, 906), (253, 0, 1, 6)]);
    assert_eq!(bytes, Some((1, 6)));
}

#[test]
fn counter_that_fell_or_is_gone_tells_nothing() {
    assert_eq!(between(&[(8, 0, 70, 900)], &[(8, 0, 69, 990)]), None);
    assert_eq!(between(&[(8, 0, 70, 900)], &[(8, 0, 90, 0)]), None);
    assert_eq!(between(&[(8, 0, 70, 900), (8, 16, 1, 1)], &[(8, 0, 90, 990)]), None);
    assert_eq!(between(&[(8, 0, 70, 900)], &[(8, 16, 90, 990)]), None);
    assert_eq!(between(&[(8, 0, 70, 900)], &[]), None);
    assert_eq!(between(&[], &[]), Some((0, 0)));
}

#[test]
fn too_many_devices_are_one_sum() {
    let many = |bytes: u64| {
        let lines: Vec<Line> = (0..20).map(|minor| (259, minor, bytes, 2 * bytes)).collect();
        lines
    };
    assert_eq!(all(&many(10)), (200, 400));
    assert_eq!(between(&many(10), &many(15)), Some((100, 200)));
    assert_eq!(between(&many(15), &many(10)), None);
    // From few to many and back.
    assert_eq!(between(&[(259, 0, 10, 20)], &many(15)), Some((290, 580)));
    assert_eq!(between(&many(10), &[(259, 0, 10, 20)]), None);
}

#[test]
fn counters_past_64_bits_do_not_wrap() {
    let huge = [(8, 0, u64::MAX, 5), (253, 0, u64::MAX - 9, 6)];
    let bytes = all(&huge);
    assert_eq!(bytes.0, u64::MAX);
}
