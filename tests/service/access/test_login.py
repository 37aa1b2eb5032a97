"""Signing in with passwords, printed links and one-time links; what is refused, how often."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from gateway.errors import CallError, ForbiddenError, LimitError, NotFoundError, SignInError
from gateway.records.access_tables import AttemptRow, SessionRow
from gateway.records.database import reading, writing
from gateway.service.access import attempts, passwords
from gateway.service.access.audit import AuditFilter, read_audit
from gateway.service.access.login import (
    Came,
    end_login_key,
    login_key,
    make_login_link,
    providers,
    sign_in,
    sign_in_by_key,
    sign_in_once,
    who_of_login_link,
)
from gateway.service.access.passwords import change_password, check_password, set_password
from gateway.service.access.people import change_person
from gateway.service.access.sessions import (
    actor_of,
    end_one,
    list_sessions,
    make_token,
    open_session,
)

GOOD = "correct horse battery"
CAME = Came(address="192.0.2.7", browser="Firefox")


def enter(lab, name, password, came=CAME):
    answer = {"name": name, "password": password}
    return sign_in(lab, providers(lab)["local"], answer, {}, back="", came=came)


def test_a_password_signs_its_person_in(lab, root) -> None:
    set_password(lab, root, "ana", GOOD)
    assert actor_of(lab, enter(lab, "ana", GOOD)).person == "ana"


def test_a_password_is_the_same_however_its_letters_are_composed(lab, root) -> None:
    set_password(lab, root, "ana", "Caf\u00e9 au lait")
    assert check_password(lab, "ana", "Cafe\u0301 au lait") == "ana"


def test_every_refusal_reads_the_same(lab, root) -> None:
    set_password(lab, root, "ana", GOOD)
    set_password(lab, root, "bo", GOOD)
    change_person(lab, root, "bo", active=False)
    texts = set()
    for name, password in (
        ("ana", "wrong"),
        ("nobody", GOOD),
        ("bo", GOOD),
        ("root", ""),
        ("", ""),
    ):
        with pytest.raises(SignInError) as caught:
            enter(lab, name, password)
        texts.add(str(caught.value))
    assert texts == {"the name or the password is wrong"}


def test_an_unknown_name_costs_the_same_hashing(lab, root, monkeypatch) -> None:
    set_password(lab, root, "ana", GOOD)
    hashed = []
    check = passwords._matches
    monkeypatch.setattr(passwords, "_matches", lambda kept, p: hashed.append(1) or check(kept, p))
    for name in ("ana", "nobody", "root"):
        with pytest.raises(SignInError):
            enter(lab, name, "wrong")
    assert len(hashed) == 3


def test_too_many_failures_of_a_name_must_wait_and_others_need_not(lab, root) -> None:
    set_password(lab, root, "ana", GOOD)
    set_password(lab, root, "bo", GOOD)
    for _ in range(attempts.OF_A_NAME):
        with pytest.raises(SignInError):
            enter(lab, "ana", "wrong")
    with pytest.raises(LimitError, match=r"try again in 15 minute\(s\)"):
        enter(lab, "ana", GOOD)
    assert enter(lab, "bo", GOOD)
    _age_attempts(lab)
    assert enter(lab, "ana", GOOD)


def test_too_many_failures_from_an_address_must_wait_whatever_the_names(
    lab, root, monkeypatch
) -> None:
    monkeypatch.setattr(attempts, "OF_AN_ADDRESS", 4)
    set_password(lab, root, "bo", GOOD)
    for number in range(4):
        with pytest.raises(SignInError):
            enter(lab, f"guess{number}", "wrong")
    with pytest.raises(LimitError, match="too many failed sign-ins"):
        enter(lab, "bo", GOOD)
    assert enter(lab, "bo", GOOD, Came(address="192.0.2.8"))


def test_many_attempts_at_once_do_not_slip_through(lab) -> None:
    def attempt(_):
        try:
            attempts.reserve(lab, "ana", "192.0.2.7")
        except LimitError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == attempts.OF_A_NAME


def test_success_is_not_counted(lab, root) -> None:
    set_password(lab, root, "ana", GOOD)
    for _ in range(attempts.OF_A_NAME + 2):
        attempts.forgive(lab, attempts.reserve(lab, "ana", CAME.address))
    assert enter(lab, "ana", GOOD)


def test_passwords_have_bounds_and_need_a_local_person(lab, root, ana) -> None:
    with pytest.raises(CallError, match="has 5 characters; expected 10 to 500"):
        set_password(lab, root, "ana", "short")
    with pytest.raises(CallError, match="little more than the name"):
        set_password(lab, root, "ana", "ana1234567")
    with pytest.raises(NotFoundError, match="no local person 'nobody'"):
        set_password(lab, root, "nobody", GOOD)
    with pytest.raises(ForbiddenError):
        set_password(lab, ana, "bo", GOOD)
    change_person(lab, root, "bo", provider="oauth2")
    with pytest.raises(NotFoundError, match="local accounts"):
        set_password(lab, root, "bo", GOOD)


def test_a_changed_password_signs_other_browsers_out(lab, root, ana) -> None:
    set_password(lab, root, "ana", GOOD)
    here, there = enter(lab, "ana", GOOD), enter(lab, "ana", GOOD)
    _, token = make_token(lab, ana)
    with pytest.raises(SignInError, match="so far is wrong"):
        change_password(lab, ana, "wrong", "another good one", session=here)
    change_password(lab, ana, GOOD, "another good one", session=here)
    assert actor_of(lab, here).person == actor_of(lab, token).person == "ana"
    with pytest.raises(SignInError):
        actor_of(lab, there)
    with pytest.raises(SignInError):
        enter(lab, "ana", GOOD)
    assert enter(lab, "ana", "another good one")


def test_the_printed_link_holds_again_and_again_for_who_is_active(lab, root) -> None:
    key = login_key(lab, "ana")
    for _ in range(2):
        assert actor_of(lab, sign_in_by_key(lab, key)).person == "ana"
    change_person(lab, root, "ana", active=False)
    with pytest.raises(SignInError, match="has ended"):
        sign_in_by_key(lab, key)
    for forged in ("", "x.y.z", key[:-2], make_login_link(lab, root, "bo")):
        with pytest.raises(SignInError):
            sign_in_by_key(lab, forged)


def test_the_printed_link_ends_with_the_service_that_printed_it(lab) -> None:
    key, other = login_key(lab, "ana"), login_key(lab, "ana")
    end_login_key(lab, key)
    with pytest.raises(SignInError, match="the one that `gateway serve` printed"):
        sign_in_by_key(lab, key)
    assert actor_of(lab, sign_in_by_key(lab, other)).person == "ana"


def test_a_login_link_signs_in_once(lab, root, ana) -> None:
    key = make_login_link(lab, root, "bo")
    assert who_of_login_link(lab, key) == "bo"
    assert actor_of(lab, sign_in_once(lab, key, CAME)).person == "bo"
    for use in (lambda: sign_in_once(lab, key, CAME), lambda: who_of_login_link(lab, key)):
        with pytest.raises(SignInError, match="used already"):
            use()
    with pytest.raises(ForbiddenError):
        make_login_link(lab, ana, "ana")
    with pytest.raises(NotFoundError):
        make_login_link(lab, root, "nobody")
    with pytest.raises(CallError, match="at most 30 days"):
        make_login_link(lab, root, "bo", timedelta(days=31))


def test_of_many_uses_of_a_login_link_one_succeeds(lab, root) -> None:
    key = make_login_link(lab, root, "bo")

    def use(_):
        try:
            return sign_in_once(lab, key, CAME)
        except SignInError:
            return None

    with ThreadPoolExecutor(4) as pool:
        assert sum(secret is not None for secret in pool.map(use, range(8))) == 1


def test_a_login_link_expires_and_ends_with_its_person(lab, root) -> None:
    short = make_login_link(lab, root, "bo", timedelta(seconds=1))
    long = make_login_link(lab, root, "bo")
    change_person(lab, root, "bo", active=False)
    change_person(lab, root, "bo", active=True)
    with pytest.raises(SignInError):
        sign_in_once(lab, long, CAME)
    time.sleep(1.01)
    with pytest.raises(SignInError):
        sign_in_once(lab, short, CAME)


def test_tokens_are_listed_ended_and_bounded(lab, ana, root) -> None:
    made, secret = make_token(lab, ana, "notebook", timedelta(days=3))
    assert [(t.id, t.note) for t in list_sessions(lab, ana, "token")] == [(made.id, "notebook")]
    assert actor_of(lab, secret).until == made.expires.timestamp()
    for wrong in (made.id[:-1], "", "%" * 16, secret):
        with pytest.raises(NotFoundError, match="no open token"):
            end_one(lab, ana, "token", wrong)
    with pytest.raises(NotFoundError):
        end_one(lab, root, "token", made.id)
    end_one(lab, ana, "token", made.id)
    with pytest.raises(SignInError):
        actor_of(lab, secret)
    with pytest.raises(CallError, match="at most 366 days"):
        make_token(lab, ana, life=timedelta(days=400))


def test_an_expired_session_is_none(lab) -> None:
    secret = open_session(lab, "ana", life=timedelta(seconds=-1))
    with pytest.raises(SignInError, match="has ended"):
        actor_of(lab, secret)


def test_sessions_that_expired_long_ago_are_swept_away(lab) -> None:
    for days in (-31, -29, 1):
        open_session(lab, "ana", life=timedelta(days=days))
    open_session(lab, "bo")
    with reading(lab.database) as connection:
        assert connection.scalar(select(func.count()).select_from(SessionRow)) == 3


def test_the_log_says_who_signed_in_and_keeps_no_mistyped_password(lab, root) -> None:
    set_password(lab, root, "ana", GOOD)
    enter(lab, "ana", GOOD)
    for name in ("ana", "my secret password"):
        with pytest.raises(SignInError):
            enter(lab, name, "wrong")
    lines = read_audit(lab, root, AuditFilter())
    assert [(line.who, line.action, line.detail.get("person")) for line in lines] == [
        ("nobody", "sign-in failed", "unknown"),
        ("nobody", "sign-in failed", "ana"),
        ("ana", "signed in", None),
        ("root", "password set", "ana"),
    ]
    assert {line.address for line in lines[:3]} == {CAME.address}
    assert "secret" not in repr(lines)


def _age_attempts(lab) -> None:
    with writing(lab.database) as connection:
        long_ago = datetime.now(UTC) - attempts.WINDOW - timedelta(seconds=1)
        connection.execute(update(AttemptRow).values(at=long_ago))
