//! Webhook paths: `orders/{id}/paid`. The syntax is `matchit`'s, without catch-alls and escapes.

use std::sync::Arc;

/// The longest path.
pub const PATH_BYTES: usize = 512;

/// The path as it is kept: without a slash in front.
///
/// # Errors
/// Why it cannot be served.
pub fn check(written: &str) -> Result<Arc<str>, String> {
    let path = written.strip_prefix('/').unwrap_or(written);
    if path.is_empty() {
        return Err("it is empty".to_owned());
    }
    if PATH_BYTES < path.len() {
        return Err(format!("it is longer than {PATH_BYTES} bytes"));
    }
    if let Some(bad) = path.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._~!$&'()+,;=:@/{}".contains(*c)) {
        return Err(format!("`{}` has no place in a path", bad.escape_default()));
    }
    if !is_plain(path) {
        return Err("it has an empty segment, `.` or `..`".to_owned());
    }
    let (shape, names) = shape(path);
    for (index, name) in names.iter().enumerate() {
        let mut chars = name.chars();
        if !chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("`{{{name}}}` needs a name of letters, digits and `_`"));
        }
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(format!("`{{{name}}}` stands in it twice"));
        }
    }
    matchit::Router::new().insert(shape, ()).map_err(|error| error.to_string())?;
    Ok(path.into())
}

/// The path with its parameters renamed by place, so that `a/{x}` and `a/{y}` are one route, and their own names.
#[must_use]
pub fn shape(path: &str) -> (String, Vec<Arc<str>>) {
    let (mut shape, mut names) = (String::with_capacity(path.len()), Vec::new());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        shape.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            // Unbalanced: the router refuses it.
            shape.push('{');
            rest = after;
            continue;
        };
        shape.push_str(&format!("{{p{}}}", names.len()));
        names.push(name.into());
        rest = after;
    }
    shape.push_str(rest);
    (shape, names)
}

/// Whether every segment of a path says something. One with an empty segment, `.` or `..` is no route and is not made into one:
/// what stands in front of the server then means the same path as the server.
#[must_use]
pub fn is_plain(path: &str) -> bool {
    path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// Whether a hook with this path could take a request to `path`, were there no others.
#[must_use]
pub fn fits(hook: &str, path: &str) -> bool {
    let mut router = matchit::Router::new();
    is_plain(path) && router.insert(shape(hook).0, ()).is_ok() && router.at(path).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_checked() {
        let check = |path: &str, fine: bool| assert_eq!(check(path).is_ok(), fine, "{path}: {:?}", check(path));
        for path in ["leads", "/leads", "a/b/c", "orders/{id}/paid", "{a}/{b}", "img-{id}.png", "a:b@c"] {
            check(path, true);
        }
        for path in [
            "", "/", "a/", "//a", "a//b", "a b", "ä", "a/{", "a/}", "{}", "{1}", "{*rest}", "{{a}}", "{a}/{a}", "{a}{b}", "..", "a?b",
            "a%20b",
        ] {
            check(path, false);
        }
    }

    #[test]
    fn names_do_not_make_a_route() {
        assert_eq!(shape("a/{x}/{y}").0, shape("a/{u}/{v}").0);
        assert_eq!(shape("a/{x}/{y}").1, ["x".into(), "y".into()]);
    }

    #[test]
    fn a_path_fits_what_it_was_written_for() {
        for (hook, path, expected) in [
            ("leads", "leads", true),
            ("leads", "/leads", false),
            ("leads", "leads/", false),
            ("{a}", "..", false),
            ("{a}/{b}", "a/.", false),
            ("{a}/{b}", "a/..b", true),
            ("leads", "leads/1", false),
            ("orders/{id}", "orders/7", true),
            ("orders/{id}", "orders", false),
            ("orders/{id}", "orders/7/paid", false),
            ("img-{id}.png", "img-7.png", true),
        ] {
            assert_eq!(fits(hook, path), expected, "{hook} {path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_fine_can_be_routed(path in "[a-z{}/.:*%]{0,12}") {
            if let Ok(path) = check(&path) {
                prop_assert!(matchit::Router::new().insert(shape(&path).0, ()).is_ok());
            }
        }
    }
}
