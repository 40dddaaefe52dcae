//! Sequences of events, and what the state machine does at each.

use super::*;

const SOME_SIGNAL: usize = 10;

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).unwrap()
}

fn signal(number: usize) -> Signal {
    Signal::from_usize(number).unwrap()
}

fn from_outside(signal: Signal) -> Event {
    let sender = Sender::Outside;
    Event::Signal(Received { signal, sender })
}

fn from_inside(signal: Signal) -> Event {
    let sender = Sender::Inside(42);
    Event::Signal(Received { signal, sender })
}

fn from_unknown(signal: Signal) -> Event {
    let sender = Sender::Unknown;
    Event::Signal(Received { signal, sender })
}

fn from_kernel(signal: Signal) -> Event {
    let sender = Sender::Kernel;
    Event::Signal(Received { signal, sender })
}

fn declined(event: Event) -> Action {
    let Event::Signal(received) = event else {
        panic!("{event:?} is not a signal");
    };
    Action::Decline(received)
}

fn ended(number: i32, code: i32) -> Event {
    Event::Reaped(pid(number), code << 8)
}

/// Feeds the events in turn and compares what each leads to.
fn tell(mut state: State, story: &[(Event, &[Action])]) {
    for (event, actions) in story {
        let seen: Vec<Action> = state.step(*event).into_iter().flatten().collect();
        assert_eq!(seen, *actions, "{event:?} with {state:?}");
    }
}

fn command() -> State {
    State::new(Some(pid(7)), Scope::Namespace, true)
}

#[test]
fn a_command_that_ends_ends_everything() {
    let (int, realtime) = (Signal::INT, signal(40));
    tell(
        command(),
        &[
            (from_outside(int), &[Action::Forward(pid(7), int)]),
            (from_outside(realtime), &[Action::Forward(pid(7), realtime)]),
            (from_outside(Signal::CHLD), &[]),
            (ended(8, 1), &[]),
            (
                ended(7, 3),
                &[
                    Action::SignalAll(Signal::TERM),
                    Action::SignalAll(Signal::CONT),
                    Action::AllowGrace,
                ],
            ),
            (Event::Tick, &[]),
            (from_outside(int), &[]),
            (from_outside(Signal::TERM), &[]),
            (ended(9, 1), &[]),
            (Event::Empty, &[Action::Exit(3)]),
        ],
    );
}

#[test]
fn term_goes_to_every_process_once() {
    let term = from_outside(Signal::TERM);
    tell(
        command(),
        &[
            (
                term,
                &[
                    Action::SignalAll(Signal::TERM),
                    Action::SignalAll(Signal::CONT),
                    Action::AllowGrace,
                ],
            ),
            (
                term,
                &[
                    Action::SignalAll(Signal::TERM),
                    Action::SignalAll(Signal::CONT),
                ],
            ),
            (Event::Tick, &[]),
            (ended(7, 0), &[]),
            (term, &[]),
            (Event::Empty, &[Action::Exit(0)]),
        ],
    );
}

#[test]
fn to_the_child_alone_term_reaches_the_rest_when_it_has_ended() {
    let term = from_outside(Signal::TERM);
    tell(
        State::new(Some(pid(7)), Scope::Namespace, false),
        &[
            (
                term,
                &[
                    Action::Forward(pid(7), Signal::TERM),
                    Action::Forward(pid(7), Signal::CONT),
                    Action::AllowGrace,
                ],
            ),
            (
                ended(7, 5),
                &[
                    Action::SignalAll(Signal::TERM),
                    Action::SignalAll(Signal::CONT),
                ],
            ),
            (Event::Empty, &[Action::Exit(5)]),
        ],
    );
}

#[test]
fn a_command_that_ignores_term_is_killed() {
    let kill = Action::SignalAll(Signal::KILL);
    let killed = Event::Reaped(pid(7), 9);
    let story = [
        (
            from_outside(Signal::TERM),
            &[
                Action::SignalAll(Signal::TERM),
                Action::SignalAll(Signal::CONT),
                Action::AllowGrace,
            ][..],
        ),
        (Event::TimeUp, &[Action::Warn, kill, Action::AllowLast]),
        (Event::Tick, &[kill]),
    ];
    let ends = [(killed, &[][..]), (Event::Empty, &[Action::Exit(137)])];
    tell(command(), &[&story[..], &ends].concat());
    // In the kernel's hands, where not even SIGKILL ends it.
    let hangs = [(Event::TimeUp, &[Action::Exit(137)][..])];
    tell(command(), &[&story[..], &hangs].concat());
}

#[test]
fn keep_alive_ends_when_asked_and_kills_the_stubborn() {
    let kill = Action::SignalAll(Signal::KILL);
    for asked in [Signal::INT, Signal::TERM] {
        tell(
            State::new(None, Scope::Namespace, true),
            &[
                (from_outside(signal(SOME_SIGNAL)), &[]),
                (ended(8, 1), &[]),
                (
                    from_outside(asked),
                    &[
                        Action::SignalAll(Signal::TERM),
                        Action::SignalAll(Signal::CONT),
                        Action::AllowGrace,
                    ],
                ),
                (from_outside(asked), &[]),
                (Event::Tick, &[]),
                (Event::TimeUp, &[Action::Warn, kill, Action::AllowLast]),
                (Event::Tick, &[kill]),
                (Event::TimeUp, &[Action::Exit(0)]),
            ],
        );
    }
}

#[test]
fn nothing_inside_ends_keep_alive_as_pid_1() {
    let (term, int) = (Signal::TERM, Signal::INT);
    let end = [
        Action::SignalAll(term),
        Action::SignalAll(Signal::CONT),
        Action::AllowGrace,
    ];
    tell(
        State::new(None, Scope::Namespace, true),
        &[
            (from_inside(signal(SOME_SIGNAL)), &[]),
            (from_inside(term), &[declined(from_inside(term))]),
            // Said once: an agent may send thousands.
            (from_inside(int), &[]),
            (from_inside(term), &[]),
            (from_unknown(term), &[]),
            (from_outside(int), &end),
            (from_inside(term), &[]),
        ],
    );
    let (unknown, keep_alive) = (from_unknown(term), || {
        State::new(None, Scope::Namespace, true)
    });
    tell(keep_alive(), &[(unknown, &[declined(unknown)])]);
    tell(keep_alive(), &[(from_kernel(int), &end)]);
    // Beside another init (`docker run --init`) its signals come from inside, too.
    tell(
        State::new(None, Scope::Descendants, true),
        &[(from_inside(term), &end)],
    );
    // A command gets the signal from any sender.
    tell(
        command(),
        &[
            (from_inside(int), &[Action::Forward(pid(7), int)]),
            (from_inside(term), &end),
        ],
    );
}

#[test]
fn what_stops_on_a_terminal_is_to_be_resumed() {
    let resumed = |number| [Action::Resume(pid(number))];
    tell(
        command(),
        &[
            (Event::Stopped(pid(7)), &resumed(7)),
            // An orphan that this process has adopted.
            (Event::Stopped(pid(8)), &resumed(8)),
        ],
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (1..=64_usize).prop_map(|number| from_outside(signal(number))),
            (1..=64_usize).prop_map(|number| from_inside(signal(number))),
            (1..=64_usize).prop_map(|number| from_unknown(signal(number))),
            (1..=64_usize).prop_map(|number| from_kernel(signal(number))),
            (5..10_i32).prop_map(|number| Event::Stopped(pid(number))),
            ((5..10_i32), any::<u16>())
                .prop_map(|(number, status)| Event::Reaped(pid(number), i32::from(status))),
            Just(Event::Empty),
            Just(Event::TimeUp),
            Just(Event::Tick),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order, these hold at each step.
        #[test]
        fn every_story_keeps_the_rules(
            child in proptest::option::of(Just(pid(7))),
            to_group: bool,
            events in proptest::collection::vec(event(), 0..40),
        ) {
            let mut state = State::new(child, Scope::Namespace, to_group);
            let mut child = child;
            let mut asked = false;
            let mut clock_started = 0;
            let mut killing = false;
            for event in events {
                let is_of_the_clock = matches!(event, Event::Empty | Event::TimeUp | Event::Tick);
                if is_of_the_clock && clock_started == 0 {
                    continue;
                }
                let mut code = None;
                if let (Event::Reaped(pid, status), Some(own)) = (event, child)
                    && pid == own
                {
                    child = None;
                    asked = true;
                    code = Some(exit::code(status));
                }
                if let Event::Signal(Received { signal, sender }) = event {
                    asked |= match child {
                        Some(_) => signal == Signal::TERM,
                        None => {
                            signal.ends_keep_alive()
                                && matches!(sender, Sender::Outside | Sender::Kernel)
                        }
                    };
                }
                let is_first_time_up = event == Event::TimeUp && !killing;
                for action in state.step(event).into_iter().flatten() {
                    match action {
                        // Only a running command gets a signal, only one that came, and never CHLD.
                        Action::Forward(to, signal) => {
                            prop_assert_eq!(Some(to), child);
                            let Event::Signal(Received { signal: came, .. }) = event else {
                                panic!("{event:?} is forwarded");
                            };
                            let ends = came == Signal::TERM;
                            prop_assert!(came == signal || ends && signal == Signal::CONT);
                            prop_assert!(signal.is_forwarded());
                        }
                        // Nobody is killed before the time that they were given is over.
                        Action::SignalAll(Signal::KILL) => {
                            prop_assert!(killing || event == Event::TimeUp);
                        }
                        Action::SignalAll(signal) => {
                            prop_assert!(ORDERLY_END.contains(&signal));
                            prop_assert!(asked && !killing);
                        }
                        Action::AllowGrace => clock_started += 1,
                        Action::AllowLast => killing = true,
                        Action::Warn => prop_assert!(is_first_time_up),
                        // Such a signal leads to words alone, and only in keep-alive mode.
                        Action::Decline(received) => {
                            prop_assert_eq!(event, Event::Signal(received));
                            let sender = received.sender;
                            prop_assert!(matches!(sender, Sender::Inside(_) | Sender::Unknown));
                            prop_assert!(child.is_none() && !asked);
                        }
                        Action::Resume(pid) => prop_assert_eq!(event, Event::Stopped(pid)),
                        // The end comes when nobody is left, or when killing was of no use.
                        Action::Exit(_) => {
                            let is_over = event == Event::Empty && child.is_none();
                            prop_assert!(is_over || event == Event::TimeUp && !is_first_time_up);
                            return Ok(());
                        }
                    }
                }
                if code.is_some() {
                    prop_assert_eq!(state.code, code);
                }
                // The clock is started once, whatever comes.
                prop_assert!(clock_started <= 1);
            }
        }

        /// From any state, once asked to end, the run is over after the clock has run out twice.
        #[test]
        fn the_end_cannot_be_put_off(
            has_child: bool,
            to_group: bool,
            events in proptest::collection::vec(event(), 0..20),
        ) {
            let mut state = State::new(has_child.then(|| pid(7)), Scope::Namespace, to_group);
            for event in events {
                if matches!(event, Event::Empty | Event::TimeUp) {
                    continue;
                }
                state.step(event);
            }
            state.step(from_outside(Signal::TERM));
            let first = state.step(Event::TimeUp);
            let second = state.step(Event::TimeUp);
            let exits = |actions: Actions| {
                actions.iter().flatten().any(|action| matches!(action, Action::Exit(_)))
            };
            prop_assert!(!exits(first) && exits(second), "{:?} {:?}", first, second);
        }
    }
}
