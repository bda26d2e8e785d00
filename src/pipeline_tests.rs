use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// A worker that doubles its items.
fn doubling() -> impl FnMut(usize, &Outlet<'_, usize>) -> Result<(), String> + Send {
    |item, outlet| {
        let _ = outlet.send(2 * item);
        Ok(())
    }
}

fn numbers(count: usize) -> impl FnOnce(&Outlet<'_, usize>) -> Result<usize, String> + Send {
    move |outlet| {
        let sent = (0..count).take_while(|&number| outlet.send(number).is_ok());
        Ok(sent.count())
    }
}

fn collected(results: &mut dyn Iterator<Item = usize>) -> Result<Vec<usize>, String> {
    Ok(results.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everything_arrives_once_whatever_the_workers_and_queue(
        count in 0usize..200, workers in 1usize..6, queue in 1usize..5,
    ) {
        let interrupt = Interrupt::new();
        let pipeline = Pipeline { queue, interrupt: &interrupt };
        let doubled: Vec<usize> = (0..count).map(|number| 2 * number).collect();
        let run = pipeline.run(numbers(count), (0..workers).map(|_| doubling()), collected);
        let (read, mut found) = run.unwrap();
        found.sort_unstable();
        prop_assert_eq!((read, &found), (count, &doubled));

        let ordered = pipeline.run_in_order(
            0..count,
            (0..workers).map(|_| |item: usize| Ok(2 * item)),
            collected,
        );
        prop_assert_eq!(ordered, Ok(doubled));

        let fed = pipeline.feed(numbers(count), collected);
        prop_assert_eq!(fed, Ok((count, (0..count).collect())));
    }
}

#[test]
fn results_keep_the_order_of_items_of_unequal_length() {
    let work = || {
        |item: u32| {
            thread::sleep(Duration::from_millis(u64::from(item * 7 % 5)));
            Ok::<_, String>(item)
        }
    };
    let found = map(0..40, (0..4).map(|_| work())).unwrap();
    assert_eq!(found, (0..40).collect::<Vec<u32>>());
}

#[test]
fn a_slow_writer_holds_up_workers_and_reader() {
    let interrupt = Interrupt::new();
    for (queue, workers) in [(1, 1), (2, 3), (4, 2)] {
        let (sent, written, most) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let read = |outlet: &Outlet<'_, usize>| {
            for number in 0..60 {
                let _ = outlet.send(number);
                let on_their_way =
                    1 + sent.fetch_add(1, Ordering::SeqCst) - written.load(Ordering::SeqCst);
                most.fetch_max(on_their_way, Ordering::SeqCst);
            }
            Ok(())
        };
        let write = |results: &mut dyn Iterator<Item = usize>| {
            for _ in results {
                thread::sleep(Duration::from_millis(1));
                written.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        };
        let pipeline = Pipeline { queue, interrupt: &interrupt };
        pipeline.run(read, (0..workers).map(|_| doubling()), write).unwrap();
        // Items may wait in both queues, one at each worker and one at the writer.
        let (most, room) = (most.into_inner(), 2 * queue + workers + 1);
        assert!(most <= room && most >= queue, "{most} on their way, room for {room}");
    }
}

#[test]
fn items_that_wait_for_an_earlier_one_are_counted_among_those_on_their_way() {
    let interrupt = Interrupt::new();
    let taken = AtomicUsize::new(0);
    let work = || {
        |item: usize| {
            taken.fetch_add(1, Ordering::SeqCst);
            if item == 0 {
                // Waits until every item that may be taken has been taken.
                thread::sleep(Duration::from_millis(200));
                return Ok(taken.load(Ordering::SeqCst));
            }
            Ok::<_, String>(item)
        }
    };
    let pipeline = Pipeline { queue: 6, interrupt: &interrupt };
    let found = pipeline.run_in_order(0..100, (0..3).map(|_| work()), collected).unwrap();
    assert_eq!(found[0], 6);
    assert_eq!(found[1..], (1..100).collect::<Vec<usize>>());
}

#[test]
fn a_workers_error_ends_all_and_keeps_what_was_computed() {
    let interrupt = Interrupt::new();
    let pipeline = Pipeline { queue: 2, interrupt: &interrupt };
    let work = || {
        |item: usize, outlet: &Outlet<'_, usize>| {
            if item == 10 {
                return Err("item 10".to_owned());
            }
            let _ = outlet.send(item);
            Ok(())
        }
    };
    let mut written = Vec::new();
    // The reader would go on for ever.
    let read = |outlet: &Outlet<'_, usize>| {
        (0..).find(|&number| outlet.send(number).is_err());
        Err::<(), _>("a later error".to_owned())
    };
    let error = pipeline
        .run(read, (0..3).map(|_| work()), |results| {
            written.extend(results);
            Err::<(), _>("no end of results".to_owned())
        })
        .unwrap_err();
    assert_eq!(error, "item 10");
    written.sort_unstable();
    assert_eq!(written[..10], (0..10).collect::<Vec<usize>>());
    assert!(!written.contains(&10));

    let in_order = pipeline.run_in_order(
        0..,
        (0..3).map(|_| |item: usize| if item == 10 { Err("item 10".to_owned()) } else { Ok(item) }),
        |results| {
            assert_eq!(results.collect::<Vec<usize>>(), (0..10).collect::<Vec<usize>>());
            Ok(())
        },
    );
    assert_eq!(in_order, Err("item 10".to_owned()));
}

#[test]
fn what_was_read_before_an_error_is_written() {
    let interrupt = Interrupt::new();
    let pipeline = Pipeline { queue: 2, interrupt: &interrupt };
    let mut written = Vec::new();
    let read = |outlet: &Outlet<'_, usize>| {
        (0..20).try_for_each(|number| outlet.send(number)).expect("workers go on");
        Err::<(), _>("unreadable".to_owned())
    };
    let error = pipeline
        .run(read, (0..3).map(|_| doubling()), |results| {
            written.extend(results);
            Ok(())
        })
        .unwrap_err();
    assert_eq!((error.as_str(), written.len()), ("unreadable", 20));
}

#[test]
fn a_writer_that_returns_ends_all() {
    let interrupt = Interrupt::new();
    let pipeline = Pipeline { queue: 1, interrupt: &interrupt };
    let endless = || {
        |outlet: &Outlet<'_, usize>| {
            (0..).find(|&number| outlet.send(number).is_err());
            Ok::<_, String>(())
        }
    };
    let first = |results: &mut dyn Iterator<Item = usize>| Ok(results.next());
    let (_, found) = pipeline.run(endless(), [doubling()], first).unwrap();
    assert_eq!(found, Some(0));
    let full = |_: &mut dyn Iterator<Item = usize>| Err::<(), _>("disk full".to_owned());
    assert_eq!(pipeline.run(endless(), [doubling()], full), Err("disk full".to_owned()));
    assert_eq!(pipeline.feed(endless(), full), Err("disk full".to_owned()));
}

#[test]
fn panics_are_resumed_and_no_thread_waits_for_ever() {
    let interrupt = Interrupt::new();
    let pipeline = Pipeline { queue: 1, interrupt: &interrupt };
    let message = |run: &mut dyn FnMut()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
        *panic.downcast::<&str>().unwrap()
    };
    let endless = |outlet: &Outlet<'_, usize>| {
        (0..).find(|&number| outlet.send(number).is_err());
        Ok::<_, String>(())
    };
    let broken = |item: usize, _: &Outlet<'_, usize>| match item {
        3 => panic!("worker"),
        _ => Ok::<_, String>(()),
    };
    let worker = message(&mut || drop(pipeline.run(endless, [broken; 3], collected)));
    assert_eq!(worker, "worker");
    let in_order = message(&mut || {
        let work = |item: usize| if item == 3 { panic!("in order") } else { Ok(item) };
        drop(pipeline.run_in_order(0.., [work; 2], collected));
    });
    assert_eq!(in_order, "in order");
    let reader = message(&mut || {
        let read = |_: &Outlet<'_, usize>| -> Result<(), String> { panic!("reader") };
        drop(pipeline.run(read, [doubling()], collected));
    });
    assert_eq!(reader, "reader");
    let writer = message(&mut || {
        let write = |_: &mut dyn Iterator<Item = usize>| -> Result<(), String> { panic!("writer") };
        drop(pipeline.run(endless, [doubling()], write));
    });
    assert_eq!(writer, "writer");
    assert_eq!(
        message(&mut || {
            let ((), ()) = join(|| (), || panic!("beside"));
        }),
        "beside"
    );
}

#[test]
fn an_interrupt_ends_in_good_order() {
    let interrupt = Interrupt::new();
    let pipeline = Pipeline { queue: 2, interrupt: &interrupt };
    let mut written = Vec::new();
    let (read, ()) = pipeline
        .run(numbers(10_000_000), (0..3).map(|_| doubling()), |results| {
            for result in results {
                written.push(result);
                if written.len() == 50 {
                    interrupt.request();
                }
            }
            Ok(())
        })
        .unwrap();
    // Results computed before the stop are written: at most one more per worker, and those in
    // the queue.
    assert!((50..=50 + 2 + 3 + 1).contains(&written.len()), "{}", written.len());
    assert!(read < 10_000_000);
}

#[test]
fn two_things_are_done_at_the_same_time() {
    let (sender, receiver) = bounded(0);
    let (received, sent) = join(|| receiver.recv(), || sender.send(7));
    assert_eq!((received, sent), (Ok(7), Ok(())));
}
