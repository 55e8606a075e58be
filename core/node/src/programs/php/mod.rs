//! Applications in PHP that the sandbox knows. The sandbox runs no PHP: which of them it is, the
//! source says in a comment, the `naru` block.

mod guestbook;
mod wordpress;

use naru_shell::Sys;
use naru_shell::serve::Incoming;
use naru_sim::Time;
use serde::Deserialize;

/// The application of a server.
#[derive(Clone, Debug, Default)]
pub enum App {
    /// There is none: files only.
    #[default]
    None,
    /// The guestbook of the tutorial.
    Guestbook(guestbook::Guestbook),
    /// WordPress.
    Wordpress(wordpress::Wordpress),
}

/// What a script answers.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// Headers beside the server's own.
    pub headers: Vec<(String, String)>,
    /// The body; empty with status 404 stands for the server's own page.
    pub body: String,
    /// Lines of the error log.
    pub errors: Vec<String>,
}

impl Page {
    /// A page with status 200.
    pub fn of(body: String) -> Page {
        Page { status: 200, body, ..Page::default() }
    }

    /// The same with another status.
    pub fn status(mut self, status: u16) -> Page {
        self.status = status;
        self
    }

    /// The same with a header more.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Page {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A script under way.
#[derive(Clone, Debug)]
pub enum Job {
    /// It has its answer.
    Done(Page),
    /// The guestbook asks its store.
    Guestbook(guestbook::Call),
    /// WordPress asks its database.
    Wordpress(Box<wordpress::Call>),
}

/// What the `naru` block of `index.php` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Says {
    /// `guestbook` or `wordpress`.
    app: String,
    /// Where the guestbook writes and reads.
    leader: String,
    follower: String,
}

impl App {
    /// The application in a server's folder.
    pub fn find(sys: &mut dyn Sys, root: &str) -> App {
        for file in ["guestbook.php", "wp-blog-header.php", "wp-config.php"] {
            let Ok(text) = sys.fs().read_text(&format!("{root}/{file}")) else { continue };
            let block = super::interpreter::naru_block(&text).unwrap_or_default();
            let Ok(says) = serde_yaml::from_str::<Says>(block) else { continue };
            match says.app.as_str() {
                "guestbook" => {
                    return App::Guestbook(guestbook::Guestbook::new(says.leader, says.follower));
                }
                "wordpress" => return App::Wordpress(wordpress::Wordpress::default()),
                _ => {}
            }
        }
        App::None
    }

    /// Begins to answer a request; `None` where it is for a file.
    pub fn begin(&mut self, sys: &mut dyn Sys, incoming: &Incoming) -> Option<Job> {
        match self {
            App::None => None,
            App::Guestbook(guestbook) => guestbook.begin(sys, incoming),
            App::Wordpress(wordpress) => wordpress.begin(sys, incoming),
        }
    }
}

impl Job {
    /// When it goes on by itself.
    pub fn next_due(&self) -> Option<Time> {
        match self {
            Job::Done(_) => None,
            Job::Guestbook(call) => call.next_due(),
            Job::Wordpress(call) => call.next_due(),
        }
    }

    /// Goes on as far as it can; the page once it is there.
    pub fn poll(&mut self, sys: &mut dyn Sys, app: &mut App) -> Option<Page> {
        match (self, app) {
            (Job::Done(page), _) => Some(page.clone()),
            (Job::Guestbook(call), _) => call.poll(sys),
            (Job::Wordpress(call), App::Wordpress(wordpress)) => call.poll(sys, wordpress),
            (Job::Wordpress(_), _) => Some(Page::default().status(500)),
        }
    }
}

/// The value of a field in `a=1&b=2`, decoded.
pub fn field(text: &str, name: &str) -> Option<String> {
    let mut pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| super::nginx::decode(&value.replace('+', " ")))
}

/// The text as HTML shows it.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_forms() {
        assert_eq!(field("a=1&b=x+y%21", "b").as_deref(), Some("x y!"));
        assert_eq!(field("a", "a").as_deref(), Some(""));
        assert_eq!(field("a=1", "b"), None);
        assert_eq!(escaped("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
    }
}
