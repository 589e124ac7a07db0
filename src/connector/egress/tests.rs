use super::*;

fn egress(allow: &[&str]) -> Egress {
    Egress::new(&allow.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>()).unwrap()
}

fn refused(allow: &[&str], url: &str) -> bool {
    match egress(allow).check_url(&Url::parse(url).unwrap()) {
        Ok(()) => false,
        Err(failure) => {
            assert_eq!(failure.kind, FailureKind::EgressRefused, "{url}");
            true
        }
    }
}

#[test]
fn literal_addresses_are_refused_however_they_are_written() {
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "１２７.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "0",
        "[::]",
        "10.1.2.3",
        "user@192.168.0.1",
    ] {
        assert!(refused(&[], &format!("http://{host}/")), "{host}");
    }
    assert!(!refused(&[], "https://8.8.8.8/") && !refused(&[], "https://[2606:4700::1111]/") && !refused(&[], "https://example.com/"));
}

#[test]
fn the_allow_list_names_networks_addresses_and_ports() {
    for (allow, url, expected) in [
        ("10.0.0.0/8", "http://10.9.8.7/", false),
        ("10.0.0.0/8", "http://[::ffff:10.9.8.7]/", false),
        ("10.0.0.0/8", "http://11.0.0.1/", false),
        ("10.0.0.0/8", "http://192.168.0.1/", true),
        ("10.1.2.3:8080", "http://10.1.2.3:8080/", false),
        ("10.1.2.3:8080", "http://10.1.2.3/", true),
        ("10.1.2.3:443", "https://10.1.2.3/", false),
        ("10.1.0.0/16:80", "http://10.1.2.3/", false),
        ("::1", "http://[::1]:9/", false),
        ("[::1]:9", "http://[::1]:9/", false),
        ("[::1]:9", "http://[::1]:10/", true),
        ("fd00::/8", "http://[fd12::1]/", false),
        ("[fd00::/8]:80", "http://[fd12::1]:81/", true),
        ("localhost", "http://127.0.0.1/", true),
        ("::ffff:127.0.0.1", "http://127.0.0.1/", false),
    ] {
        assert_eq!(refused(&[allow], url), expected, "{allow} {url}");
    }
}

#[test]
fn an_unusable_entry_is_named_with_what_would_be_right() {
    let check = |entry: &str, part: &str| {
        let problem = Egress::new(&[entry.to_owned()]).unwrap_err();
        assert!(problem.contains(&format!("`{entry}`")) && problem.contains(part) && problem.contains("10.0.0.0/8"), "{problem}");
    };
    check("http://localhost", "is a URL");
    check("10.0.0.1/8", "did you mean `10.0.0.0/8`");
    check("10.0.0.0/40", "is not a network");
    check("localhost:http", "port");
    check("localhost:0", "port");
    check("local host", "is not a host name");
    check("*.example.com", "is not a host name");
    check("", "is not a host name");
    check("[::1", "`]`");
}

#[test]
fn only_web_schemes_are_called() {
    for url in ["file:///etc/passwd", "ftp://example.com/", "gopher://example.com/"] {
        let failure = egress(&[]).check_url(&Url::parse(url).unwrap()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadInput, "{url}");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_its_addresses() {
    let refusal = egress(&[]).addresses("localhost", 80).await.unwrap_err().to_string();
    assert!(refusal.contains("`localhost` is at ") && refusal.contains("loopback") && refusal.contains("egress.allow"), "{refusal}");
    for (allow, port, expected) in [
        ("localhost", 80, true),
        ("LOCALHOST.", 80, true),
        ("localhost:81", 81, true),
        ("localhost:81", 80, false),
        ("localhost:81", ANY_OTHER_PORT, false),
        ("127.0.0.0/8", 80, true),
    ] {
        assert_eq!(egress(&[allow, "[::1]:9"]).addresses("localhost", port).await.is_ok(), expected, "{allow} {port}");
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_told_so() {
    let problem = egress(&[]).addresses("nowhere.invalid", 80).await.unwrap_err();
    assert!(matches!(problem, Unreachable::Unresolved(_)) && problem.to_string().contains("`nowhere.invalid`"), "{problem}");
}
