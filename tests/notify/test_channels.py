"""What arrives at a receiver, and what is said when nothing does."""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import json
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from auditor.config.channels import ChannelSettings
from auditor.config.document import parse_document
from auditor.config.values import SecretReference
from auditor.errors import ConfigError
from auditor.notify import Channel, open_channels, post
from auditor.notify.delivery import sender_for
from auditor.notify.message import Event, EventKind, Message, text_of, title_of
from auditor.notify.post import NotDelivered
from tests.notify.receivers import Hook, Mailbox

MakeChannel = Callable[..., Channel]


def send(channel: Channel, message: Message) -> None:
    sender_for(channel)(channel, message)


def test_a_webhook_gets_the_whole_message_as_json(
    receiver: Hook, channel: MakeChannel, message: Message
) -> None:
    send(channel("webhook", receiver.url), message)

    (got,) = receiver.got
    assert message == Message.decode(got.body.decode())
    assert json.loads(got.body)["events"][0]["kind"] == "failing"
    assert got.headers["Content-Type"] == "application/json"
    assert message.id == got.headers["X-Auditor-Delivery"]
    assert "X-Auditor-Signature" not in got.headers


def test_a_receiver_can_tell_ours_from_anybody_s(
    receiver: Hook, channel: MakeChannel, message: Message
) -> None:
    send(channel("webhook", receiver.url, secret="s3cret"), message)

    (got,) = receiver.got
    signed = got.headers["X-Auditor-Timestamp"].encode() + b"." + got.body
    expected = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert f"sha256={expected}" == got.headers["X-Auditor-Signature"]
    assert b"s3cret" not in got.body


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_may_pass_is_tried_again_with_the_same_id(
    receiver: Hook, channel: MakeChannel, message: Message, status: int
) -> None:
    receiver.answers = [(status, {}), (status, {})]
    send(channel("webhook", receiver.url), message)

    assert [message.id] * 3 == [got.headers["X-Auditor-Delivery"] for got in receiver.got]


def test_what_never_passes_is_given_up_and_said_without_the_address(
    receiver: Hook, channel: MakeChannel, message: Message
) -> None:
    receiver.answers = [(503, {})] * 3
    with pytest.raises(NotDelivered) as raised:
        send(channel("webhook", receiver.url), message)

    assert str(raised.value) == "it answered 503"
    assert len(receiver.got) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_refusal_is_not_repeated(
    receiver: Hook, channel: MakeChannel, message: Message, status: int
) -> None:
    receiver.answers = [(status, {})]
    with pytest.raises(NotDelivered, match=f"it answered {status}"):
        send(channel("webhook", receiver.url), message)

    assert len(receiver.got) == 1


def test_a_redirect_is_not_followed(receiver: Hook, channel: MakeChannel, message: Message) -> None:
    receiver.answers = [(302, {"Location": f"{receiver.url}/elsewhere"})]
    with pytest.raises(NotDelivered, match="configure the final address"):
        send(channel("webhook", receiver.url), message)

    assert len(receiver.got) == 1


def test_the_wait_that_a_receiver_asks_for_is_kept_and_bounded(receiver: Hook) -> None:
    waited: list[float] = []
    receiver.answers = [(429, {"Retry-After": "7"})]
    post.post(receiver.url, b"{}", {}, waits_s=(0.5, 2.0), sleep=waited.append)
    assert waited == [7.0]

    receiver.answers = [(503, {"Retry-After": "86400"})]
    with pytest.raises(NotDelivered):
        post.post(receiver.url, b"{}", {}, waits_s=(0.5, 2.0), sleep=waited.append)
    assert waited == [7.0]


def test_nobody_there_is_said_in_words(channel: MakeChannel, message: Message) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/hooks/T0KEN"
        with pytest.raises(NotDelivered) as raised:
            send(channel("webhook", url), message)

    assert str(raised.value) == "nobody answered (Connection refused)"


def test_name_and_password_of_an_address_go_into_a_header(
    receiver: Hook, channel: MakeChannel, message: Message
) -> None:
    url = receiver.url.replace("http://", "http://bot:s3cret@")
    send(channel("webhook", url), message)

    assert receiver.got[0].headers["Authorization"] == "Basic Ym90OnMzY3JldA=="
    assert "s3cret" not in channel("webhook", url).without_secrets(f"cannot reach {url}")


def test_slack_gets_its_shape_and_no_markup_of_others(
    receiver: Hook, channel: MakeChannel, message: Message
) -> None:
    loud = replace(message.events[0], location="<!channel> & co")
    send(channel("slack", receiver.url), replace(message, events=(loud,)))

    body = json.loads(receiver.got[0].body)
    (block,) = body["blocks"]
    assert body["text"] == "brokenpkg-1.2.3: &lt;!channel&gt; &amp; co is exposed"
    assert (block["type"], block["text"]["type"]) == ("section", "mrkdwn")
    assert "The page is old." in block["text"]["text"]
    assert "<!channel>" not in receiver.got[0].body.decode()


def test_a_very_long_message_still_fits_slack(
    receiver: Hook, channel: MakeChannel, message: Message
) -> None:
    many = tuple(replace(message.events[0], location=f"{n}" * 300) for n in range(30))
    send(channel("slack", receiver.url), replace(message, events=many))

    assert len(json.loads(receiver.got[0].body)["blocks"][0]["text"]["text"]) <= 3000


def test_an_e_mail_arrives_and_stays_in_its_headers(
    mail_server: Mailbox, channel: MakeChannel, message: Message
) -> None:
    sly = replace(message.events[0], location="office\r\nBcc: all@corp.example")
    send(
        channel(
            "email",
            f"smtp://127.0.0.1:{mail_server.port}",
            to=("ops@corp.example", "sec@corp.example"),
            sender="auditor@corp.example",
        ),
        replace(message, events=(sly,)),
    )

    (text,) = mail_server.mails
    mail = email.message_from_string(text, policy=email.policy.default)
    assert mail["Subject"] == "brokenpkg-1.2.3: office  Bcc: all@corp.example is exposed"
    assert (mail["To"], mail["Bcc"]) == ("ops@corp.example, sec@corp.example", None)
    assert mail["From"] == "auditor@corp.example"
    assert mail["Message-ID"] == "<0123456789abcdef@corp.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "1 of 3 places is exposed." in mail.get_content()
    recipients = [c for c in mail_server.commands if c.upper().startswith("RCPT")]
    assert len(recipients) == 2


def test_a_password_is_never_sent_in_the_clear(
    mail_server: Mailbox, channel: MakeChannel, message: Message
) -> None:
    url = f"smtp://bot:s3cret@127.0.0.1:{mail_server.port}"
    with pytest.raises(NotDelivered, match="no encryption") as raised:
        send(channel("email", url, to=("a@b.example",), sender="c@d.example"), message)

    assert "s3cret" not in str(raised.value)
    assert not [c for c in mail_server.commands if c.startswith("AUTH")]


def test_a_mail_server_that_refuses_is_quoted_by_its_code(
    mail_server: Mailbox, channel: MakeChannel, message: Message
) -> None:
    mail_server.refusal = "550 no such user"
    url = f"smtp://127.0.0.1:{mail_server.port}"
    with pytest.raises(NotDelivered, match="refuses every recipient; correct `to`"):
        send(channel("email", url, to=("a@b.example",), sender="c@d.example"), message)


def test_apprise_is_handed_address_title_and_text(
    monkeypatch: pytest.MonkeyPatch, channel: MakeChannel, message: Message
) -> None:
    calls: list[object] = []

    class Apprise:
        def add(self, servers: str) -> bool:
            calls.append(servers)
            return servers.startswith("known://")

        def notify(self, body: str, title: str) -> bool:
            calls.append((title, body))
            return len(calls) < 3

    monkeypatch.setitem(sys.modules, "apprise", SimpleNamespace(Apprise=Apprise))
    send(channel("apprise", "known://T0KEN"), message)
    assert calls == ["known://T0KEN", (title_of(message), text_of(message))]

    with pytest.raises(NotDelivered, match="did not take it"):
        send(channel("apprise", "known://T0KEN"), message)
    with pytest.raises(NotDelivered, match="does not know such an address"):
        send(channel("apprise", "other://T0KEN"), message)


def test_without_apprise_the_next_step_is_said(
    monkeypatch: pytest.MonkeyPatch, channel: MakeChannel, message: Message
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(NotDelivered, match=r"pip install 'propagation-auditor\[apprise\]'"):
        send(channel("apprise", "known://T0KEN"), message)


def test_several_events_are_counted_in_the_title(message: Message) -> None:
    def event(kind: EventKind, name: str) -> Event:
        return replace(message.events[0], kind=kind, location=name)

    events = (
        event(EventKind.FAILING, "a"),
        event(EventKind.RESOLVED, "b"),
        event(EventKind.RESOLVED, "c"),
    )
    title = title_of(replace(message, events=events))
    still = title_of(replace(message, events=(event(EventKind.REMINDER, "a"),)))

    assert title == "brokenpkg-1.2.3: 1 failing, 2 resolved"
    assert still == "brokenpkg-1.2.3: a is still exposed"


def test_a_long_list_is_cut_for_people(message: Message) -> None:
    many = tuple(replace(message.events[0], location=f"place-{n}") for n in range(30))

    assert "and 10 more places" in text_of(replace(message, events=many))


def settings(kind: str, reference: SecretReference) -> ChannelSettings:
    return ChannelSettings(
        name=kind,
        kind=kind,
        url=reference,
        secret=None,
        on=("change",),
        threshold=1,
        remind_every_s=None,
        to=(),
        sender=None,
        index=0,
    )


CONFIG = '[[notify]]\nkind = "webhook"\nurl = {env = "HOOK"}\n'


def test_a_secret_that_cannot_be_had_is_named_with_its_line() -> None:
    document = parse_document(CONFIG, name="a.toml")
    wanted = (settings("webhook", SecretReference("env", "HOOK")),)

    with pytest.raises(ConfigError, match=r"a\.toml:3: notify\.url: .*HOOK is not set"):
        open_channels(wanted, document, {})


@pytest.mark.parametrize(
    "url",
    ["hush-hush", "ftp://hush.example/x", "http://", "http://hush.example/a b", "http://x:y/"],
)
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    document = parse_document(CONFIG, name="a.toml")
    wanted = (settings("webhook", SecretReference("env", "HOOK")),)

    with pytest.raises(ConfigError, match="is no address of a webhook") as raised:
        open_channels(wanted, document, {"HOOK": url})
    assert "hush" not in str(raised.value)


def test_a_channel_never_shows_where_it_leads() -> None:
    document = parse_document(CONFIG, name="a.toml")
    wanted = (settings("webhook", SecretReference("env", "HOOK")),)
    (opened,) = open_channels(wanted, document, {"HOOK": "https://hooks.example/T0KEN"})

    assert repr(opened) == "Channel('webhook')"
    assert "T0KEN" not in repr((opened, opened.settings))
