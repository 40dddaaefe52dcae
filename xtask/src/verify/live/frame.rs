//! Drawing a block of lines in its place: the one file that knows a terminal's codes (ECMA-48, and
//! DEC's private modes).

use std::fmt::Write as _;

/// Of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Default for Size {
    fn default() -> Size {
        Size {
            rows: 24,
            columns: 80,
        }
    }
}

impl Size {
    /// Some terminals say 0 for what they do not know.
    pub(super) fn of(rows: usize, columns: usize) -> Size {
        let default = Size::default();
        Size {
            rows: if rows == 0 { default.rows } else { rows },
            columns: if columns == 0 {
                default.columns
            } else {
                columns
            },
        }
    }

    /// Lines of a block that never scrolls: the cursor stands below it.
    pub(super) fn lines(self) -> usize {
        self.rows.saturating_sub(1).max(1)
    }
}

/// Replaces the `drawn` lines above the cursor by `above`, which stays, and `lines`.
///
/// The cursor stands at the start of the line below, visible, before and after: whatever ends us,
/// a shell can go on there. A terminal that knows how shows the whole change at once (mode 2026);
/// no line wraps (mode 7), even if it is wider than it was thought to be.
pub(super) fn frame(drawn: usize, above: &str, lines: &[String]) -> String {
    let mut text = String::from("\u{1b}[?2026h");
    if drawn > 0 {
        // To the start of the first line. Writing to a String cannot fail.
        let _ = write!(text, "\u{1b}[{drawn}F");
    }
    text.push_str("\r\u{1b}[J");
    text.push_str(above);
    text.push_str("\u{1b}[?7l");
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("\u{1b}[?7h\u{1b}[?2026l");
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As much of a terminal as frames need: it wraps, scrolls, and keeps what scrolled away.
    pub(in super::super) struct Terminal {
        pub(in super::super) size: Size,
        pub(in super::super) received: String,
        /// All lines from the first one on; the last `size.rows` are on the screen.
        lines: Vec<String>,
        row: usize,
        column: usize,
        wraps: bool,
    }

    impl Terminal {
        pub(in super::super) fn new(size: Size) -> Terminal {
            Terminal {
                size,
                received: String::new(),
                lines: vec![String::new()],
                row: 0,
                column: 0,
                wraps: true,
            }
        }

        /// Everything from the first line to the cursor's.
        pub(in super::super) fn shown(&self) -> String {
            self.lines.join("\n")
        }

        fn down(&mut self) {
            self.row += 1;
            if self.row == self.lines.len() {
                self.lines.push(String::new());
            }
        }

        pub(in super::super) fn put(&mut self, text: &str) {
            self.received.push_str(text);
            let mut chars = text.chars();
            while let Some(c) = chars.next() {
                match c {
                    '\u{1b}' => {
                        assert_eq!(chars.next(), Some('['));
                        let mut code = String::new();
                        while !code.ends_with(|c: char| c.is_ascii_alphabetic()) {
                            code.extend(chars.next());
                        }
                        self.obey(&code);
                    }
                    '\n' => {
                        self.down();
                        self.column = 0;
                    }
                    '\r' => self.column = 0,
                    c => self.print(c),
                }
            }
        }

        fn print(&mut self, c: char) {
            if self.column == self.size.columns {
                if !self.wraps {
                    return;
                }
                self.down();
                self.column = 0;
            }
            let line = &mut self.lines[self.row];
            let kept: String = line.chars().take(self.column).collect();
            *line = format!("{kept}{c}");
            self.column += 1;
        }

        fn obey(&mut self, code: &str) {
            match code {
                "?7l" => self.wraps = false,
                "?7h" => self.wraps = true,
                "?2026h" | "?2026l" => {}
                "J" => {
                    self.lines.truncate(self.row + 1);
                    let kept = self.lines[self.row].chars().take(self.column);
                    self.lines[self.row] = kept.collect();
                }
                code if code.ends_with('F') => {
                    let up: usize = code.trim_end_matches('F').parse().unwrap();
                    // What has scrolled away cannot be reached.
                    let top = self.lines.len().saturating_sub(self.size.rows);
                    self.row = self.row.saturating_sub(up).max(top);
                    self.column = 0;
                }
                other => panic!("unknown code {other:?}"),
            }
        }
    }

    fn lines(count: usize, width: usize) -> Vec<String> {
        let line = |n: usize| format!("{n}{}", "x".repeat(width));
        (0..count).map(line).collect()
    }

    #[test]
    fn a_block_is_replaced_and_leaves_nothing() {
        let size = Size::of(8, 20);
        let mut terminal = Terminal::new(size);
        terminal.put("$ cargo xtask verify\n\n\n\n\n\n");
        let before = terminal.shown();
        let mut drawn = 0;
        for count in [3, 7, 1, 0, size.lines(), 2] {
            // Wider than the terminal, as if the width of a character had been misjudged.
            let block = lines(count, 30);
            terminal.put(&frame(drawn, "", &block));
            drawn = count;
            assert_eq!(terminal.column, 0);
            let shown = terminal.shown();
            assert!(shown.starts_with(&before), "{shown}");
            assert_eq!(shown.lines().count(), before.lines().count() + count);
        }
        terminal.put(&frame(drawn, "kept\n", &[]));
        assert_eq!(terminal.shown(), format!("{before}kept\n"));
        assert!(terminal.wraps);
    }

    #[test]
    fn what_is_typed_meanwhile_does_not_stay_in_the_block() {
        let mut terminal = Terminal::new(Size::default());
        terminal.put(&frame(0, "", &lines(2, 3)));
        terminal.put("^C");
        terminal.put(&frame(2, "", &[]));
        assert_eq!(terminal.shown(), "");
    }

    #[test]
    fn a_terminal_of_unknown_size_has_the_usual_one() {
        assert_eq!(Size::of(0, 0), Size::default());
        assert_eq!(Size::of(50, 0).rows, 50);
        assert_eq!(Size::of(50, 0).lines(), 49);
        assert_eq!(Size::of(1, 1).lines(), 1);
    }
}
