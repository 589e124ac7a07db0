//! One CloudEvent as JSON: the body is its data, read as `datacontenttype` says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rhai::Dynamic;

use super::{BadBody, CLOUD_EVENT, Found, charset, from_json, media_type};

pub(super) fn read(body: &[u8]) -> Result<Found, BadBody> {
    let text = charset::of_json(body, None).map_err(|bad| bad.about("JSON"))?;
    let Some(mut event) = from_json(&text)?.try_cast::<rhai::Map>() else {
        return Err(BadBody::Unreadable("a CloudEvent is a map with `specversion`, `id`, `source` and `type`".to_owned()));
    };
    let kind = event.remove("datacontenttype").and_then(|kind| kind.into_string().ok()).unwrap_or_default();
    if media_type(&kind) == CLOUD_EVENT {
        return Err(BadBody::Unreadable("a CloudEvent inside a CloudEvent is not read".to_owned()));
    }
    if let Some(coded) = event.remove("data_base64").filter(|coded| !coded.is_unit()) {
        let bytes = coded.into_string().ok().and_then(|coded| STANDARD.decode(coded).ok());
        let bytes = bytes.ok_or_else(|| BadBody::Unreadable("`data_base64` is not Base64".to_owned()))?;
        return super::read(&kind, &bytes);
    }
    match event.remove("data") {
        None => Ok(Found::Nothing),
        // A text that is no JSON text holds the data itself.
        Some(data) if data.is_string() && !is_json(&kind) => {
            let text = data.into_string().unwrap_or_default();
            // It came as characters, whatever bytes they were before.
            match super::read(&format!("{};charset=utf-8", media_type(&kind)), text.as_bytes())? {
                Found::Nothing => Ok(Found::Text(Dynamic::from(text))),
                found => Ok(found),
            }
        }
        Some(data) => Ok(Found::Value(data)),
    }
}

/// No type means JSON.
fn is_json(kind: &str) -> bool {
    let kind = media_type(kind);
    kind.is_empty() || kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}
