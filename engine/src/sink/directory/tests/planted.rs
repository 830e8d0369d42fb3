//! Links that somebody planted at the target, before or while the restore runs.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// The sink as it is, and as it is on a kernel that resolves no whole paths.
fn both(ground: &Ground, overwrite: Overwrite) -> [DirectorySink; 2] {
    [ground.sink(overwrite), walking(ground, overwrite)]
}

#[test]
fn a_link_as_a_folder_on_the_way_is_refused() {
    for overwrite in [Overwrite::Never, Overwrite::IfChanged, Overwrite::Always] {
        let ground = Ground::new();
        symlink(ground.outside(), ground.at("link")).unwrap();
        symlink("../outside", ground.at("relative")).unwrap();
        fs::create_dir(ground.at("real")).unwrap();
        symlink(".", ground.at("real/here")).unwrap();
        for sink in both(&ground, overwrite) {
            let file = entry(EntryKind::File, 0);
            for name in ["link/file", "relative/file", "link/a/b", "real/here/x"] {
                for result in [
                    write(&sink, name, b""),
                    sink.file(&path(name), &file).map(drop),
                    sink.special(&path(name), &link_entry("x")),
                    sink.directory(&path(name), &folder_entry()),
                    sink.hard_link(&path(name), &path("real")),
                    sink.hard_link(&path("stolen"), &path(name)),
                    sink.open(&path(name)).map(drop),
                    sink.finish_directory(&path(name), &folder_entry()),
                ] {
                    let error = result.unwrap_err();
                    assert!(matches!(error, SinkError::NotADirectory { .. }), "{name}: {error:?}");
                    assert!(!error.ends_restore());
                }
            }
            let result = sink.finish_directory(&path("link"), &folder_entry());
            assert!(result.is_err());
            ground.assert_outside_untouched();
        }
        assert!(!ground.at("stolen").exists());
    }
}

#[test]
fn a_link_in_place_of_a_folder_is_replaced_or_refused() {
    let ground = Ground::new();
    let outside_mode = fs::metadata(ground.outside()).unwrap().mode();
    for which in 0..2 {
        symlink(ground.outside(), ground.at("d")).unwrap();
        let sink = &both(&ground, Overwrite::Never)[which];
        let error = sink.directory(&path("d"), &folder_entry()).unwrap_err();
        assert!(matches!(error, SinkError::Exists { .. }));

        let sink = &both(&ground, Overwrite::IfChanged)[which];
        sink.directory(&path("d"), &folder_entry()).unwrap();
        write(sink, "d/file", b"mine").unwrap();
        sink.finish_directory(&path("d"), &folder_entry()).unwrap();
        let made = fs::symlink_metadata(ground.at("d")).unwrap();
        assert!(made.is_dir());
        ground.assert_outside_untouched();
        assert_eq!(fs::metadata(ground.outside()).unwrap().mode(), outside_mode);
        fs::remove_dir_all(ground.at("d")).unwrap();
    }
}

#[test]
fn a_link_as_the_last_component_is_replaced_or_kept() {
    let ground = Ground::new();
    let victim = ground.outside().join("file");
    let file = entry(EntryKind::File, 4);
    symlink(&victim, ground.at("f")).unwrap();
    for sink in both(&ground, Overwrite::Never) {
        assert!(matches!(write(&sink, "f", b"evil"), Err(SinkError::Exists { .. })));
        assert!(sink.open(&path("f")).is_err());
    }
    for sink in both(&ground, Overwrite::IfChanged) {
        fs::remove_file(ground.at("f")).unwrap();
        symlink(&victim, ground.at("f")).unwrap();
        assert_eq!(sink.plan(&path("f"), &file).unwrap(), Planned::Write);
        write(&sink, "f", b"evil").unwrap();
        assert!(fs::symlink_metadata(ground.at("f")).unwrap().is_file());
        ground.assert_outside_untouched();

        for name in ["pipe", "hard"] {
            symlink(&victim, ground.at(name)).unwrap();
        }
        let pipe = entry(EntryKind::Fifo, 0);
        sink.special(&path("pipe"), &pipe).unwrap();
        sink.hard_link(&path("hard"), &path("f")).unwrap();
        for name in ["pipe", "hard"] {
            let kind = fs::symlink_metadata(ground.at(name)).unwrap().file_type();
            assert!(!kind.is_symlink(), "{name}");
            fs::remove_file(ground.at(name)).unwrap();
        }
        // The metadata of a link are its own.
        let link = link_entry("../outside/file");
        sink.special(&path("link"), &link).unwrap();
        ground.assert_outside_untouched();
    }
}

#[test]
fn a_link_restored_from_the_snapshot_is_not_followed_either() {
    let ground = Ground::new();
    for sink in both(&ground, Overwrite::Always) {
        sink.special(&path("way-out"), &link_entry("../outside")).unwrap();
        assert!(write(&sink, "way-out/file", b"evil").is_err());
        assert!(write(&sink, "way-out/new", b"evil").is_err());
    }
    ground.assert_outside_untouched();
}

#[test]
fn a_link_swapped_in_between_is_not_followed() {
    let ground = Ground::new();
    let sink = ground.sink(Overwrite::Always);
    sink.directory(&path("d"), &folder_entry()).unwrap();
    let file = entry(EntryKind::File, 4);
    let open = sink.file(&path("d/open"), &file).unwrap();
    fs::rename(ground.at("d"), ground.at("moved")).unwrap();
    symlink(ground.outside(), ground.at("d")).unwrap();
    // The folder made by the restore is still at hand: what is written goes there, wherever it was moved.
    write(&sink, "d/file", b"mine").unwrap();
    open.write_at(0, b"mine").unwrap();
    open.finish(&file).unwrap();
    assert_eq!(fs::read(ground.at("moved/file")).unwrap(), b"mine");
    assert_eq!(fs::read(ground.at("moved/open")).unwrap(), b"mine");
    // A sink that does not know it yet meets the link.
    assert!(write(&ground.sink(Overwrite::Always), "d/file", b"evil").is_err());
    ground.assert_outside_untouched();
}

#[test]
fn a_race_for_the_folder_is_never_lost() {
    let ground = Ground::new();
    fs::create_dir(ground.at("real")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = fs::rename(ground.at("real"), ground.at("d"));
                let _ = fs::rename(ground.at("d"), ground.at("real"));
                let _ = symlink(ground.outside(), ground.at("d"));
                let _ = fs::remove_file(ground.at("d"));
            }
        });
        for _ in 0..150 {
            for sink in both(&ground, Overwrite::Always) {
                let _ = write(&sink, "d/file", b"evil");
                let _ = sink.special(&path("d/link"), &link_entry("x"));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    ground.assert_outside_untouched();
}
