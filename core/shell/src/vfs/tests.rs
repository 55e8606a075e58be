use super::*;

#[test]
fn copies_are_independent() {
    let mut one = Vfs::new();
    one.write("/a", b"1").unwrap();
    let two = one.clone();
    one.append("/a", b"2").unwrap();
    assert_eq!(**one.read("/a").unwrap(), *b"12");
    assert_eq!(**two.read("/a").unwrap(), *b"1");
}

#[test]
fn a_text_is_a_file_like_another() {
    const TEXT: Text = Text::new(6, || "apple\n");
    let files = |lay: fn(&mut Vfs, &str) -> Result<(), Errno>| {
        let mut fs = Vfs::from(Tree::with_capacity(20));
        for path in ["/read", "/longer", "/gone"] {
            lay(&mut fs, path).unwrap();
        }
        let full = lay(&mut fs, "/too-much");
        let read = fs.read_text("/read");
        let sizes = fs.stat("/read").map(|stat| (stat.size, stat.kind, stat.mode));
        fs.remove("/gone").unwrap();
        fs.append("/longer", b"pie\n").unwrap();
        let longer = fs.read_text("/longer");
        fs.write("/read", b"a").unwrap();
        let tree = fs.into_tree();
        let used = (tree.bytes_used(), tree.files_count());
        (full, read, sizes, longer, used)
    };
    let as_text = files(|fs, path| fs.lay_text(path, TEXT));
    assert_eq!(as_text, files(|fs, path| fs.write(path, b"apple\n")));
    assert_eq!((as_text.0, as_text.3), (Err(Errno::NoSpace), Ok("apple\npie\n".to_owned())));
}

#[test]
fn links_are_followed_but_not_for_ever() {
    let mut fs = Vfs::new();
    fs.mkdir_all("/a/b").unwrap();
    fs.symlink("../x", "/a/b/up").unwrap();
    fs.write("/a/b/up", b"hi").unwrap();
    assert_eq!(**fs.read("/a/x").unwrap(), *b"hi");
    assert_eq!(fs.real_path("/a/b/up").unwrap(), "/a/x");
    fs.symlink("/loop", "/loop").unwrap();
    assert_eq!(fs.read("/loop"), Err(Errno::Loop));
    assert_eq!(fs.read("/a/x/y"), Err(Errno::NotDirectory));
}

#[test]
fn mounts_cover_and_come_back() {
    let mut volume = Vfs::from(Tree::with_capacity(4));
    volume.write("/f", b"v").unwrap();
    let mut fs = Vfs::new();
    fs.mkdir("/mnt").unwrap();
    fs.write("/mnt/under", b"").unwrap();
    fs.mount("/mnt", volume.into_tree(), false).unwrap();
    assert!(!fs.exists("/mnt/under"));
    assert_eq!(fs.append("/mnt/f", b"12345"), Err(Errno::NoSpace));
    assert_eq!(fs.rename("/mnt/f", "/f"), Err(Errno::CrossDevice));
    assert_eq!(fs.remove("/mnt"), Err(Errno::Busy));
    let tree = fs.unmount("/mnt").unwrap();
    assert!(fs.exists("/mnt/under"));
    fs.mount("/mnt", tree, true).unwrap();
    assert_eq!(fs.write("/mnt/f", b""), Err(Errno::ReadOnly));
    assert_eq!(fs.write("/mnt/g", b""), Err(Errno::ReadOnly));
    assert_eq!(fs.remove("/mnt/f"), Err(Errno::ReadOnly));
    assert_eq!(fs.read_text("/mnt/f").unwrap(), "v");
}

#[test]
fn permissions_are_of_the_acting_user() {
    let mut fs = Vfs::new();
    fs.write("/secret", b"s").unwrap();
    fs.chmod("/secret", 0o600).unwrap();
    fs.act_as(1000, Time::ZERO);
    assert_eq!(fs.read("/secret"), Err(Errno::Access));
    assert_eq!(fs.write("/new", b""), Err(Errno::Access));
    assert_eq!(fs.chmod("/secret", 0o777), Err(Errno::NotPermitted));
    fs.write("/tmp/mine", b"").unwrap();
    assert_eq!(fs.stat("/tmp/mine").unwrap().uid, 1000);
}

#[test]
fn removing_and_moving() {
    let mut fs = Vfs::new();
    fs.mkdir_all("/d/e").unwrap();
    fs.write("/d/e/f", b"x").unwrap();
    assert_eq!(fs.remove("/d"), Err(Errno::NotEmpty));
    assert_eq!(fs.rename("/d", "/d/e/g"), Err(Errno::Invalid));
    fs.rename("/d/e/f", "/d/f").unwrap();
    assert_eq!(fs.list("/d").unwrap().len(), 2);
    fs.remove_all("/d").unwrap();
    assert!(!fs.exists("/d"));
    assert_eq!(fs.root.bytes_used(), 0);
}

#[test]
fn an_open_file_outlives_its_name() {
    let mut fs = Vfs::new();
    let (node, _) = fs.open("/f", OpenMode::Write).unwrap();
    fs.retain(node);
    fs.remove("/f").unwrap();
    assert_eq!(fs.write_at(node, 0, b"abc"), Ok(3));
    let mut others = fs.root.clone();
    others.forget_opens();
    assert_eq!((others.bytes_used(), fs.root.bytes_used()), (0, 3), "who has it open has it");
    fs.release(node);
    assert_eq!(fs.root.bytes_used(), 0);
    assert!(fs.len(node).is_err());
}

#[test]
fn zeros_are_counted_and_not_stored() {
    let mut fs = Vfs::new();
    fs.set_disk(Disk { size: 100 << 30, free: 60 << 30 });
    fs.allocate("/big", 50 << 30).unwrap();
    assert_eq!(fs.usage("/"), (90 << 30, 100 << 30));
    assert_eq!(fs.allocate("/more", 11 << 30), Err(Errno::NoSpace));
    let (node, _) = fs.open("/more", OpenMode::ReadWrite).unwrap();
    assert_eq!(fs.write_zeros(node, 0, 20 << 30), Ok(10 << 30), "as many as fit");
    assert_eq!(fs.write_zeros(node, 10 << 30, 1), Err(Errno::NoSpace));
    assert_eq!(fs.write("/text", b"x"), Err(Errno::NoSpace));
    assert_eq!(fs.read_at(node, (10 << 30) - 2, 9).unwrap(), [0, 0]);
    assert_eq!(fs.read("/more"), Err(Errno::TooLarge));
    fs.remove("/big").unwrap();
    fs.write("/text", b"x\0").unwrap();
    assert_eq!(**fs.read("/text").unwrap(), *b"x\0");
    fs.append("/text", b"y").unwrap();
    assert_eq!(**fs.read("/text").unwrap(), *b"x\0y");
    assert_eq!(fs.usage("/").0, (50 << 30) + 3);

    let mut copy = Vfs::new();
    copy.take_over("/more", &fs, "/more").unwrap();
    assert!(copy.holds_same("/more", &fs, "/more") && !copy.holds_same("/more", &fs, "/text"));
    assert_eq!(copy.stat("/more").unwrap().size, 10 << 30);
    copy.write("/more", b"").unwrap();
    assert_eq!(copy.root().bytes_used(), 0);
}

#[test]
fn zeros_leave_room_where_no_disk_is_known() {
    const TEXT: Text = Text::new(6, || "apple\n");
    let mut fs = Vfs::new();
    fs.set_disk(Disk { size: 100 << 30, free: 60 << 30 });
    fs.allocate("/big", 200 << 20).unwrap();
    let mut later = Vfs::from(fs.into_tree());
    later.write("/text", b"x").unwrap();
    later.lay_text("/laid", TEXT).unwrap();
    let (node, _) = later.open("/zeros", OpenMode::ReadWrite).unwrap();
    assert_eq!(later.write_zeros(node, 0, 1), Err(Errno::NoSpace));
    for at in 0..3 {
        later.write(&format!("/{at}"), &[1; FILE_BYTES_MAX]).unwrap();
    }
    assert_eq!(later.write("/3", &[1; FILE_BYTES_MAX]), Err(Errno::NoSpace), "that is stored");

    let mut told = Vfs::from(Tree::with_capacity(TREE_BYTES_MAX));
    told.allocate("/big", TREE_BYTES_MAX).unwrap();
    assert_eq!(told.write("/text", b"x"), Err(Errno::NoSpace), "somebody has said so");
    assert_eq!(told.root().empty_like().capacity, Some(TREE_BYTES_MAX));
}

#[test]
fn files_become_as_long_as_they_are_to_be() {
    let mut fs = Vfs::new();
    fs.write("/f", b"abcdef").unwrap();
    fs.set_len("/f", 4).unwrap();
    fs.set_len("/f", 6).unwrap();
    assert_eq!(**fs.read("/f").unwrap(), *b"abcd\0\0");
    fs.set_len("/f", 5).unwrap();
    assert_eq!((**fs.read("/f").unwrap()).to_vec(), b"abcd\0");
    assert_eq!((fs.root().bytes_used(), fs.root().files().stored), (5, 4));
    assert_eq!(fs.set_len("/f", TREE_BYTES_MAX + 6), Err(Errno::NoSpace));
    assert_eq!((fs.set_len("/dev/null", 9), fs.set_len("/new", 3)), (Ok(()), Ok(())));
    assert_eq!(fs.stat("/new").map(|stat| stat.size), Ok(3));
}

#[test]
fn what_is_copied_is_counted() {
    let mut fs = Vfs::new();
    fs.mkdir("/from").unwrap();
    fs.write("/from/text", b"apple\n").unwrap();
    fs.allocate("/from/zeros", 1 << 20).unwrap();
    let copy = fs.copy_tree("/from").unwrap();
    assert_eq!(copy.bytes_used(), (1 << 20) + 6);
    let mut copy = Vfs::from(copy);
    copy.remove_all("/zeros").unwrap();
    assert_eq!(copy.root().bytes_used(), 6);
}

#[test]
fn devices_take_what_is_large_and_stay_devices() {
    let mut fs = Vfs::new();
    fs.set_disk(Disk { size: 1 << 30, free: 1 << 30 });
    fs.allocate("/big", 20 << 20).unwrap();
    assert_eq!(fs.copy("/big", "/dev/null"), Ok(()));
    assert_eq!(fs.copy("/big", "/dev/full"), Err(Errno::NoSpace));
    let other = fs.clone();
    assert_eq!(fs.take_over("/dev/null", &other, "/big"), Err(Errno::NoDevice));
    assert_eq!(fs.take_over("/new", &other, "/dev/null"), Err(Errno::Invalid));
    assert_eq!((fs.device("/dev/null"), fs.exists("/new")), (Some(Device::Null), false));
}

#[test]
fn paths_are_normalized() {
    for (cwd, path, expected) in
        [("/a", "b", "/a/b"), ("/a", "../../b/./c", "/b/c"), ("/a", "/", "/"), ("/", "", "/")]
    {
        assert_eq!(normalize(cwd, path), expected, "{cwd} {path}");
    }
}
