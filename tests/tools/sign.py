"""Signs requests as services do, with their own libraries where they have one that signs, else checked by the one that verifies.

Reads a JSON list of requests on standard input and prints the same list with `headers` and `body`. A request has `scheme`, `secret`,
`id`, `time` (Unix seconds), `method`, `url`, `body`, and for some schemes `variant`. `--keys` prints new key pairs and certificates.
"""

import base64
import datetime
import hashlib
import hmac
import json
import sys
import zlib
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa


def mac(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256)


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.timezone.utc)


def b64(data):
    return base64.b64encode(data).decode()


def standard_webhooks(r, prefix="webhook"):
    import standardwebhooks
    import svix.webhooks

    if r.get("variant") == "ed25519":
        import nacl.signing

        key = nacl.signing.SigningKey(base64.b64decode(r["secret"]))
        signature = "v1a," + b64(key.sign(f"{r['id']}.{r['time']}.{r['body']}".encode()).signature)
    elif prefix == "svix":
        signature = svix.webhooks.Webhook(r["secret"]).sign(r["id"], utc(r["time"]), r["body"])
    else:
        signature = standardwebhooks.Webhook(r["secret"]).sign(r["id"], utc(r["time"]), r["body"])
    return {f"{prefix}-id": r["id"], f"{prefix}-timestamp": str(r["time"]), f"{prefix}-signature": signature}


def svix(r):
    return standard_webhooks(r, "svix")


def stripe(r):
    import stripe as library

    return {"stripe-signature": library.WebhookSignature.generate_signature_header(r["body"], r["secret"], r["time"])}


def calendly(r):
    return {"calendly-webhook-signature": f"t={r['time']},v1={mac(r['secret'], str(r['time']) + '.' + r['body']).hexdigest()}"}


def github(r):
    return {"x-hub-signature-256": "sha256=" + mac(r["secret"], r["body"]).hexdigest()}


def slack(r):
    from slack_sdk.signature import SignatureVerifier

    signature = SignatureVerifier(r["secret"]).generate_signature(timestamp=str(r["time"]), body=r["body"])
    return {"x-slack-request-timestamp": str(r["time"]), "x-slack-signature": signature}


def zoom(r):
    return {
        "x-zm-request-timestamp": str(r["time"]),
        "x-zm-signature": "v0=" + mac(r["secret"], f"v0:{r['time']}:{r['body']}").hexdigest(),
    }


def twilio(r):
    from twilio.request_validator import RequestValidator

    validator = RequestValidator(r["secret"])
    url, params, algorithm = r["url"], {}, "HMAC_SHA256" if r.get("variant") == "sha256" else "HMAC_SHA1"
    headers = {}
    if r.get("variant") == "json":
        url += ("&" if "?" in url else "?") + "bodySHA256=" + validator.compute_hash(r["body"])
    else:
        headers["content-type"] = "application/x-www-form-urlencoded"

        class Form(dict):
            def getall(self, name):
                return self[name]

        params = Form(parse_qs(r["body"], keep_blank_values=True))
    if r.get("variant") == "port":
        url = url.replace(".example.com", ".example.com:443")
    signature = validator.compute_signature(url, params, algorithm)
    assert validator.validate(url, r["body"] if r.get("variant") == "json" else params, signature, algorithm)
    if algorithm == "HMAC_SHA256":
        headers["x-twilio-webhooks-signature-settings"] = f"key=webhooks_sharedkey_1,algorithm={algorithm}"
    r["query"] = url.split("?", 1)[1] if "?" in url else ""
    return {**headers, "x-twilio-signature": signature}


def shopify(r):
    return {"x-shopify-hmac-sha256": b64(mac(r["secret"], r["body"]).digest()), "x-shopify-topic": "orders/create"}


def typeform(r):
    return {"typeform-signature": "sha256=" + b64(mac(r["secret"], r["body"]).digest())}


def sendgrid(r):
    from sendgrid.helpers.eventwebhook import EventWebhook

    key = serialization.load_pem_private_key(r["secret"].encode(), None)
    signature = b64(key.sign((str(r["time"]) + r["body"]).encode(), ec.ECDSA(hashes.SHA256())))
    assert EventWebhook().verify_signature(r["body"], signature, str(r["time"]), key.public_key())
    return {
        "x-twilio-email-event-webhook-signature": signature,
        "x-twilio-email-event-webhook-timestamp": str(r["time"]),
    }


def square(r):
    from square.utils.webhooks_helper import verify_signature

    signature = b64(mac(r["secret"], r["url"] + r["body"]).digest())
    assert verify_signature(request_body=r["body"], signature_header=signature, signature_key=r["secret"], notification_url=r["url"])
    return {"x-square-hmacsha256-signature": signature}


def discord(r):
    import nacl.signing
    from discord_interactions import verify_key

    key = nacl.signing.SigningKey(bytes.fromhex(r["secret"]))
    signature = key.sign((str(r["time"]) + r["body"]).encode()).signature.hex()
    assert verify_key(r["body"].encode(), signature, str(r["time"]), key.verify_key.encode().hex())
    return {"x-signature-ed25519": signature, "x-signature-timestamp": str(r["time"])}


def hubspot(r):
    from hubspot.utils.signature import Signature

    time = str(r["time"] * 1000)
    signature = Signature.get_signature(r["secret"], r["body"], "v3", r["url"], r["method"], time)
    return {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": time}


def mailgun(r):
    proof = {"timestamp": str(r["time"]), "token": r["id"], "signature": mac(r["secret"], str(r["time"]) + r["id"]).hexdigest()}
    if r.get("variant") == "form":
        from urllib.parse import urlencode

        r["body"] = urlencode({**proof, "subject": r["body"]})
        return {"content-type": "application/x-www-form-urlencoded"}
    r["body"] = json.dumps({"signature": proof, "event-data": {"event": "opened", "body": r["body"]}}, ensure_ascii=False)
    return {}


def meta(r):
    return github(r)


def aws_sns(r):
    key = serialization.load_pem_private_key(r["secret"].encode(), None)
    kind = r.get("variant") or "Notification"
    message = {
        "Type": kind,
        "MessageId": r["id"],
        "TopicArn": r["topic"],
        "Message": r["body"],
        "Timestamp": utc(r["time"]).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    if kind == "Notification":
        message["Subject"] = "Größe"
        message["UnsubscribeURL"] = "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe"
        signed = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        message["Token"] = "t0ken"
        message["SubscribeURL"] = r.get("subscribe") or (
            "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + r["topic"] + "&Token=t0ken"
        )
        signed = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in signed).encode()
    version = r.get("version", "2")
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA1() if version == "1" else hashes.SHA256())
    message |= {"SignatureVersion": version, "Signature": b64(signature), "SigningCertURL": r["certificate_url"]}
    r["body"] = json.dumps(message, ensure_ascii=False)
    return {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": kind}


def paypal(r):
    key = serialization.load_pem_private_key(r["secret"].encode(), None)
    time = utc(r["time"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{r['id']}|{time}|{r['webhook_id']}|{zlib.crc32(r['body'].encode())}"
    return {
        "paypal-transmission-id": r["id"],
        "paypal-transmission-time": time,
        "paypal-transmission-sig": b64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())),
        "paypal-cert-url": r["certificate_url"],
        "paypal-auth-algo": "SHA256withRSA",
    }


def pem(key):
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def rsa_pair():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin)
    certificate = builder.not_valid_after(begin + datetime.timedelta(days=900)).sign(key, hashes.SHA256())
    return {"private": pem(key), "public": certificate.public_bytes(serialization.Encoding.PEM).decode()}


def ec_pair():
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {"private": pem(key), "public": b64(public)}


def ed25519_pair():
    import nacl.signing

    key = nacl.signing.SigningKey.generate()
    return {"private": key.encode().hex(), "public": key.verify_key.encode().hex()}


if sys.argv[1:] == ["--keys"]:
    print(json.dumps({name: [make() for _ in range(3)] for name, make in {"rsa": rsa_pair, "ec": ec_pair, "ed25519": ed25519_pair}.items()}))
else:
    requests = json.load(sys.stdin)
    for request in requests:
        request["headers"] = globals()[request["scheme"].replace("-", "_")](request)
    print(json.dumps(requests))
