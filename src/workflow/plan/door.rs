//! Who may come in, in the words of a plan.

use super::Settings;
use super::words::duration;
use crate::domain::door::{Cors, Door, Origins, Rate};

/// What a hook says about it.
pub(super) fn settings(door: &Door) -> Settings {
    let Door { rate, allow_from, cors } = door;
    let rate = rate.map(|Rate { limit, per, burst }| format!("{limit} in {}, {burst} at once", duration(per)));
    let networks: Vec<String> = allow_from.iter().map(ToString::to_string).collect();
    let allow_from = Some(networks.join(", ")).filter(|text| !text.is_empty());
    let all = [("limits.rate", rate), ("allow_from", allow_from), ("cors", cors.as_ref().map(sites))];
    all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn sites(cors: &Cors) -> String {
    let Cors { origins, headers, max_age } = cors;
    let origins = match origins {
        Origins::Any => "pages of every site".to_owned(),
        Origins::These(origins) => origins.join(", "),
    };
    let headers = if headers.is_empty() { String::new() } else { format!(", headers {}", headers.join(", ")) };
    format!("{origins}{headers}, remembered for {}", duration(*max_age))
}
