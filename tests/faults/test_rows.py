"""Every fault of network and QuickBooks that we know of has a number, and a test that names what
becomes of it.

Where several tests are given, each covers a part. A fault whose number is missing was found to be
another one's twin.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

ROWS = """
N01 nobody there, no such name        faults/network             nobody_there_is_told
N02 never an answer                   faults/network             what_breaks_off_or_does_not_end
N03 a drip of single bytes            faults/network             what_breaks_off_or_does_not_end
N04 reset before the headers          faults/network             what_breaks_off_or_does_not_end
N05 reset in the middle of the body   faults/network             what_breaks_off_or_does_not_end
N06 shorter than announced            integration/client         a_broken_answer_is_asked_for_again
N07 chunks without the last           integration/client         a_broken_answer_is_asked_for_again
N09 JSON cut short                    integration/client         a_broken_answer_is_asked_for_again
N10 gzip with a bit flipped           integration/client         a_broken_answer_is_asked_for_again
N11 gzip cut short                    integration/client         a_broken_answer_is_asked_for_again
N13 maintenance page with status 200  integration/client         an_unusable_answer_with_status_200
N14 a fault with status 200           integration/client         a_fault_with_status_200_is_a_fault
N15 nothing with status 200, or 204   integration/client         an_unusable_answer_with_status_200
N16 429 with a Retry-After            faults/network             a_throttled_request_waits_as_long
N16 its forms                         unit/quickbooks_patience   a_retry_after_is_honoured
N16 longer than a minute              faults/network             asked_to_wait_longer_than_a_minute
N16 in several threads                faults/network             a_page_that_is_asked_to_wait_ends
N16 no other entity                   acceptance/entities_apart  asks_to_wait_no_other_entity
N16 the worker goes to others         dags/dags                  asks_to_wait_gives_its_place
N16 on the command line               acceptance/command_line    a_sync_that_quickbooks_asks_to_wait
N17 429 without one                   faults/network             a_throttled_request_waits_as_long
N18 limits over all processes         integration/limiter        two_processes_and_many_threads
N19 500, 502, 503, 504                faults/network             a_failure_of_quickbooks_is
N20 one entity fails for ever         faults/changing_company    an_entity_that_always_fails
N20 a page of it                      acceptance/entities_apart  a_page_that_fails_for_ever
N21 400                               faults/network             a_refusal_is_not_tried_again
N22 401 in the middle                 faults/network             a_login_that_ends_between_two_pages
N23 401 after a new login             faults/network             a_login_that_is_refused_anew
N23 and no other to be had            integration/tokens         a_rejected_token_is_not_sent_again
N24 403                               faults/network             a_refusal_is_not_tried_again
N25 disconnected in the middle        faults/network             a_company_that_disconnects_between
N26 another company                   acceptance/wrong_company   another_company_id
N26 with a token of its own           integration/first_token    another_companys_token_is_refused
N27 a redirect                        integration/client         a_redirect_is_never_followed
N28 TLS of somebody else              faults/network             a_server_that_cannot_prove
N29 a page sent twice                 faults/reading             a_page_that_is_sent_twice
N30 pages shift                       faults/changing_company    no_row_is_missed
N30 in any order                      unit/quickbooks_reading    read_whatever_happens_meanwhile
N32 a page shorter than asked         faults/reading             a_page_of_another_length_than_asked
N34 clocks ten minutes apart          faults/reading             a_quickbooks_whose_clock_is_wrong
N34 the worker's                      faults/reading             the_workers_clock_decides_nothing
N35 QuickBooks' clock put back        faults/reading             a_clock_that_is_put_back_during
N35 the database's                    integration/limiter        put_back_stops_nobody
N37 1,000 changes together            integration/extract        more_changes_than_quickbooks_tells
N38 1,100 in one second               faults/reading             more_changes_within_one_second
N39 31, 45, 400 days                  integration/extract        read_longer_than_29_days_ago
N40 only deletes                      integration/extract        a_window_with_only_deletes
N41 a delete of a row never seen      integration/extract        a_delete_of_a_row_never_seen
N42 created and deleted in between    integration/extract        what_happens_to_a_record
N43 no changes told of an entity      integration/extract        tells_no_changes_of
N44 a login's answer lost             integration/tokens         an_answer_that_got_lost
N44 and its worker killed             faults/token_loss          a_login_killed_at_any_point
N45 no refresh token in the answer    integration/tokens         refresh_token_that_is_not_repeated
N46 two log in at once                integration/tokens         many_processes_at_once_log_in_once
N48 a forged way back from Intuit     integration/pages          there_is_nothing_but_the_pages
N49 a login near its end              acceptance/status          a_login_that_ends_within_two_weeks
N49 and after it                      integration/tokens         an_ended_login_is_told_once
N50 fields new and renamed            faults/reading             a_field_that_nobody_knows
"""

NUMBERS = [n for n in range(1, 51) if n not in (8, 12, 31, 33, 36, 47)]


@pytest.mark.parametrize("row", ROWS.strip().splitlines())
def test_every_fault_has_the_test_that_is_said_to_cover_it(row: str) -> None:
    *_, file, part = row.split()
    folder, name = file.split("/")

    found = [
        line
        for line in (TESTS / folder / f"test_{name}.py").read_text().splitlines()
        if line.startswith("def test_") and part in line
    ]

    assert found, f"{file} has no test whose name contains {part}"


def test_no_number_is_left_out() -> None:
    told = sorted({int(row[1:3]) for row in ROWS.strip().splitlines()})

    assert told == NUMBERS
