//! What is read as XML can be written, and reads the same again.
#![no_main]

use hence::domain::xml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &str| {
    if let Ok(value) = xml::read(document) {
        let written = xml::write(&value).expect("what was read has a form in XML");
        assert_eq!(xml::read(&written), Ok(value), "{written}");
    }
});
