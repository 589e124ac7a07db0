# Prints requests as the CloudEvents SDK makes them: a JSON list of {headers, body in Base64, attributes, data in Base64}.
import base64
import json
from datetime import datetime, timedelta, timezone

from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

TIME = datetime(2026, 3, 1, 9, 0, 0, 123000, tzinfo=timezone(timedelta(hours=1)))
CASES = [
    ({"type": "order.paid", "source": "/shop"}, {"n": 1, "list": [None, True, 1.5, "é"]}),
    ({"type": "order.paid", "source": "https://example.com/shop?a=1#b", "subject": "Euro € \"quoted\" 100% ü", "time": TIME,
      "datacontenttype": "application/json", "dataschema": "https://example.com/schema", "tries": 3, "urgent": True, "zone": "a,b;c=d"},
     {"deep": {"n": [1, 2]}}),
    ({"type": "note", "source": "urn:example:1", "datacontenttype": "text/plain"}, "a text, é"),
    ({"type": "note", "source": "urn:example:1", "datacontenttype": "application/xml"}, "<note><to>Ada</to></note>"),
    ({"type": "picture", "source": "/camera", "datacontenttype": "image/png"}, b"\x89PNG\xff\x00"),
    ({"type": "nothing", "source": "/shop"}, None),
]

requests = []
for number, (attributes, data) in enumerate(CASES):
    for mode, make in (("binary", to_binary_event), ("structured", to_structured_event)):
        event = CloudEvent({"id": f"{mode}-{number}", "specversion": "1.0", **attributes}, data)
        message = make(event)
        body = message.body if isinstance(message.body, bytes) else (message.body or "").encode()
        plain = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in event.get_attributes().items()}
        requests.append({"mode": mode, "headers": dict(message.headers), "body": base64.b64encode(body).decode(), "attributes": plain})
print(json.dumps(requests))
