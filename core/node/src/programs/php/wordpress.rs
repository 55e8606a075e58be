//! WordPress: it waits for its database, is installed by hand, and then shows what was posted.
//!
//! Upstream: `wp-includes/class-wpdb.php`, `wp-admin/install.php`, `wp-login.php` of
//! `WordPress/WordPress`, and `docker-library/wordpress`.

use super::{Job, Page, escaped, field};
use crate::programs::databases::{Access, AskError, Asking};
use naru_shell::Sys;
use naru_shell::serve::{Incoming, clock};
use naru_sim::Time;

const NO_DATABASE: &str = "<h1>Error establishing a database connection</h1>";
const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS wp_options (option_id BIGINT AUTO_INCREMENT PRIMARY KEY, \
     option_name VARCHAR(191), option_value VARCHAR(1000))",
    "CREATE TABLE IF NOT EXISTS wp_users (ID BIGINT AUTO_INCREMENT PRIMARY KEY, user_login \
     VARCHAR(60), user_pass VARCHAR(255), user_email VARCHAR(100))",
    "CREATE TABLE IF NOT EXISTS wp_posts (ID BIGINT AUTO_INCREMENT PRIMARY KEY, post_title \
     VARCHAR(255), post_content VARCHAR(1000))",
    "CREATE TABLE IF NOT EXISTS wp_comments (comment_ID BIGINT AUTO_INCREMENT PRIMARY KEY, \
     comment_author VARCHAR(255), comment_content VARCHAR(1000))",
];

/// The application: who is logged in, by the value of the cookie.
#[derive(Clone, Debug, Default)]
pub struct Wordpress {
    sessions: Vec<String>,
}

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    Home,
    /// A single post, by its number.
    Post(String),
    Install,
    /// Title, user, password and mail address.
    Installed([String; 4]),
    Login,
    LoggedIn([String; 2]),
    Admin(bool),
    Nothing,
}

/// A question to the database.
#[derive(Clone, Debug)]
pub struct Call {
    asking: Asking,
    wish: Wish,
    access: Access,
    host: String,
    /// The second round: after it was found out whether WordPress is installed.
    acts: bool,
    now: String,
}

impl Wordpress {
    /// Begins to answer a request; `None` where it is for a file.
    pub fn begin(&mut self, sys: &mut dyn Sys, incoming: &Incoming) -> Option<Job> {
        let request = &incoming.request;
        let path = request.path();
        let is_file = path.rsplit_once('.').is_some_and(|(_, end)| end != "php");
        if is_file {
            return None;
        }
        let post = request.method == "POST";
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let said = |name: &str| field(&body, name).unwrap_or_default();
        let cookie = request.headers.get("Cookie").unwrap_or_default();
        let known = self.sessions.iter().any(|session| cookie.contains(session.as_str()));
        let wish = match path {
            "/" | "/index.php" => match field(request.query(), "p") {
                Some(number) => Wish::Post(number),
                None => Wish::Home,
            },
            "/wp-admin/install.php"
                if post && field(request.query(), "step").as_deref() == Some("2") =>
            {
                Wish::Installed([
                    said("weblog_title"),
                    said("user_name"),
                    said("admin_password"),
                    said("admin_email"),
                ])
            }
            "/wp-admin/install.php" => Wish::Install,
            "/wp-login.php" if post => Wish::LoggedIn([said("log"), said("pwd")]),
            "/wp-login.php" => Wish::Login,
            path if path.starts_with("/wp-admin") => Wish::Admin(known),
            _ => Wish::Nothing,
        };
        let access = access(sys);
        let question = "SELECT option_value FROM wp_options WHERE option_name = 'blogname'";
        let asking = Asking::mysql(access.clone(), vec![question.to_owned()]);
        let host = request.headers.get("Host").unwrap_or_default().to_owned();
        let now = clock::format(sys.now(), "%B %-d, %Y");
        let call = Call { asking, wish, access, host, acts: false, now };
        Some(Job::Wordpress(Box::new(call)))
    }
}

/// Where the database is, as `wp-config-docker.php` has it.
fn access(sys: &mut dyn Sys) -> Access {
    let mut get = |name: &str, default: &str| {
        let file = sys.env().get(&format!("{name}_FILE")).cloned();
        let from_file = file.and_then(|file| sys.fs().read_text(&file).ok());
        let own = from_file.map(|text| text.trim_end().to_owned());
        own.or_else(|| sys.env().get(name).cloned()).unwrap_or_else(|| default.to_owned())
    };
    Access {
        host: get("WORDPRESS_DB_HOST", "mysql"),
        user: get("WORDPRESS_DB_USER", "example username"),
        password: get("WORDPRESS_DB_PASSWORD", "example password"),
        database: get("WORDPRESS_DB_NAME", "wordpress"),
    }
}

impl Call {
    /// When it goes on by itself.
    pub fn next_due(&self) -> Option<Time> {
        self.asking.next_due()
    }

    /// Goes on; the page once the database has answered.
    pub fn poll(&mut self, sys: &mut dyn Sys, wordpress: &mut Wordpress) -> Option<Page> {
        loop {
            let answer = self.asking.poll(sys)?;
            if self.acts {
                return Some(match answer {
                    Ok(rows) => self.done(sys, wordpress, &rows),
                    Err(_) => no_database(),
                });
            }
            let title = match answer {
                Ok(rows) => first(&rows, 0, 0),
                Err(AskError::NoTable) => None,
                Err(_) => return Some(no_database()),
            };
            let Some(statements) = self.statements(title.is_some()) else {
                return Some(self.plain(title.as_deref()));
            };
            self.acts = true;
            self.asking = Asking::mysql(self.access.clone(), statements);
        }
    }

    /// What is to be asked besides; `None` where the page needs nothing more.
    fn statements(&self, installed: bool) -> Option<Vec<String>> {
        let options =
            "SELECT option_value FROM wp_options WHERE option_name = 'blogname'".to_owned();
        match (&self.wish, installed) {
            (Wish::Installed([title, user, password, mail]), false)
                if !user.is_empty() && !password.is_empty() && !mail.is_empty() =>
            {
                let mut all: Vec<String> = TABLES.iter().map(|sql| (*sql).to_owned()).collect();
                let option = |name: &str, value: &str| {
                    format!(
                        "INSERT INTO wp_options (option_name, option_value) VALUES ('{name}', '{}')",
                        quoted(value)
                    )
                };
                all.push(option("siteurl", &format!("http://{}", self.host)));
                all.push(option("blogname", title));
                all.push(option("admin_email", mail));
                all.push(format!(
                    "INSERT INTO wp_users (user_login, user_pass, user_email) VALUES ('{}', '{}', \
                     '{}')",
                    quoted(user),
                    quoted(password),
                    quoted(mail)
                ));
                all.push(
                    "INSERT INTO wp_posts (post_title, post_content) VALUES ('Hello world!', \
                     'Welcome to WordPress. This is your first post. Edit or delete it, then start \
                     writing!')"
                        .to_owned(),
                );
                Some(all)
            }
            (Wish::Home, true) => {
                Some(vec![options, "SELECT ID, post_title, post_content FROM wp_posts".to_owned()])
            }
            (Wish::Post(number), true) => Some(vec![
                options,
                format!(
                    "SELECT ID, post_title, post_content FROM wp_posts WHERE ID = '{}'",
                    quoted(number)
                ),
            ]),
            (Wish::LoggedIn([user, _]), true) => Some(vec![format!(
                "SELECT user_pass FROM wp_users WHERE user_login = '{}'",
                quoted(user)
            )]),
            _ => None,
        }
    }

    /// Pages that need nothing more of the database.
    fn plain(&self, title: Option<&str>) -> Page {
        let to = |path: &str| {
            Page::default()
                .status(302)
                .with("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
                .with("Cache-Control", "no-cache, must-revalidate, max-age=0")
                .with("X-Redirect-By", "WordPress")
                .with("Location", format!("http://{}{path}", self.host))
        };
        match (&self.wish, title) {
            (Wish::Install, None) => install_form(""),
            (Wish::Installed([_, user, password, _]), None) => install_form(match () {
                () if user.is_empty() => "Please provide a valid username.",
                () if password.is_empty() => "Your passwords do not match. Please try again.",
                () => "You must provide an email address.",
            }),
            (Wish::Install | Wish::Installed(_), Some(_)) => page(
                "WordPress &rsaquo; Installation",
                "<h1>Already Installed</h1>\n<p>You appear to have already installed WordPress. To \
                 reinstall please clear your old database tables first.</p>\n<p class=\"step\"><a \
                 href=\"/wp-login.php\" class=\"button button-large\">Log In</a></p>",
            ),
            (_, None) => to("/wp-admin/install.php"),
            (Wish::Login, Some(title)) => login_form(title, ""),
            (Wish::Admin(true), Some(title)) => page(
                &format!("Dashboard &lsaquo; {} &#8212; WordPress", escaped(title)),
                "<h1>Dashboard</h1>\n<h2>Welcome to WordPress!</h2>",
            ),
            (Wish::Admin(false), Some(_)) => to("/wp-login.php?reauth=1"),
            (_, Some(title)) => page(
                &format!("Page not found &#8211; {}", escaped(title)),
                "<h1>Page not found</h1>\n<p>The page you are looking for doesn't exist, or it has \
                 been moved.</p>",
            )
            .status(404),
        }
    }

    fn done(
        &self,
        sys: &mut dyn Sys,
        wordpress: &mut Wordpress,
        rows: &[Vec<Vec<String>>],
    ) -> Page {
        match &self.wish {
            Wish::Installed([_, user, ..]) => page(
                "WordPress &rsaquo; Installation",
                &format!(
                    "<h1>Success!</h1>\n<p>WordPress has been installed. Thank you, and enjoy!</p>\n\
                     <table class=\"form-table install-success\">\n<tr><th>Username</th><td>{}</td></tr>\n\
                     <tr><th>Password</th><td><p><em>Your chosen password.</em></p></td></tr>\n\
                     </table>\n<p class=\"step\"><a href=\"/wp-login.php\" class=\"button \
                     button-large\">Log In</a></p>",
                    escaped(user)
                ),
            ),
            Wish::LoggedIn([user, password]) => match first(rows, 0, 0) {
                Some(known) if known == *password => {
                    let token = format!("{:016x}", sys.rng().next_u64());
                    let cookie = format!("wordpress_logged_in={user}|{token}; path=/; HttpOnly");
                    wordpress.sessions.push(token);
                    if wordpress.sessions.len() > 100 {
                        wordpress.sessions.remove(0);
                    }
                    Page::default()
                        .status(302)
                        .with("Set-Cookie", cookie)
                        .with("X-Redirect-By", "WordPress")
                        .with("Location", format!("http://{}/wp-admin/", self.host))
                }
                Some(_) => login_form(
                    "WordPress",
                    &format!(
                        "The password you entered for the username <strong>{}</strong> is incorrect.",
                        escaped(user)
                    ),
                ),
                None => login_form(
                    "WordPress",
                    &format!(
                        "The username <strong>{}</strong> is not registered on this site. If you are \
                         unsure of your username, try your email address instead.",
                        escaped(user)
                    ),
                ),
            },
            _ => {
                let title = first(rows, 0, 0).unwrap_or_default();
                self.blog(&escaped(&title), rows.get(1).map(Vec::as_slice).unwrap_or_default())
            }
        }
    }

    fn blog(&self, title: &str, posts: &[Vec<String>]) -> Page {
        if posts.is_empty() && matches!(self.wish, Wish::Post(_)) {
            return page(&format!("Page not found &#8211; {title}"), "<h1>Page not found</h1>")
                .status(404);
        }
        let mut body =
            format!("<header><h1><a href=\"http://{}\">{title}</a></h1></header>\n", self.host);
        for post in posts.iter().rev() {
            if let [id, heading, text] = post.as_slice() {
                body.push_str(&format!(
                    "<article>\n<h2><a href=\"http://{}/?p={id}\">{}</a></h2>\n<time>{}</time>\n\
                     <p>{}</p>\n</article>\n",
                    self.host,
                    escaped(heading),
                    self.now,
                    escaped(text)
                ));
            }
        }
        body.push_str(
            "<footer>Designed with <a href=\"https://wordpress.org\">WordPress</a></footer>",
        );
        page(title, &body)
    }
}

fn no_database() -> Page {
    page("Database Error", &format!("<div class=\"wp-die-message\">{NO_DATABASE}</div>"))
        .status(500)
}

fn first(rows: &[Vec<Vec<String>>], statement: usize, column: usize) -> Option<String> {
    rows.get(statement)?.first()?.get(column).cloned()
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "''")
}

fn page(title: &str, body: &str) -> Page {
    Page::of(format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n<meta charset=\"UTF-8\" />\n\
         <title>{title}</title>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    ))
}

fn install_form(trouble: &str) -> Page {
    let trouble = match trouble {
        "" => String::new(),
        text => format!("<p class=\"message\">{text}</p>\n"),
    };
    page(
        "WordPress &rsaquo; Installation",
        &format!(
            "<h1>Welcome</h1>\n{trouble}<h2>Information needed</h2>\n<form id=\"setup\" method=\"post\" \
             action=\"install.php?step=2\">\n<label>Site Title <input name=\"weblog_title\"></label>\n\
             <label>Username <input name=\"user_name\"></label>\n<label>Password <input \
             name=\"admin_password\"></label>\n<label>Your Email <input name=\"admin_email\"></label>\n\
             <input type=\"submit\" name=\"Submit\" value=\"Install WordPress\">\n</form>"
        ),
    )
}

fn login_form(title: &str, trouble: &str) -> Page {
    let trouble = match trouble {
        "" => String::new(),
        text => format!("<div id=\"login_error\"><strong>Error:</strong> {text}</div>\n"),
    };
    page(
        &format!("Log In &lsaquo; {} &#8212; WordPress", escaped(title)),
        &format!(
            "{trouble}<form name=\"loginform\" id=\"loginform\" action=\"/wp-login.php\" \
             method=\"post\">\n<label>Username or Email Address <input name=\"log\"></label>\n\
             <label>Password <input name=\"pwd\"></label>\n<input type=\"submit\" name=\"wp-submit\" \
             value=\"Log In\">\n</form>"
        ),
    )
}
