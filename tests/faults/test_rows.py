"""Every fault of network and QuickBooks (N), of data (D) and of settings (K) that we know of has a
number, and a test that names what becomes of it.

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
N29 a page sent twice                 integration/extract/reading a_page_that_is_sent_twice
N30 pages shift                       faults/changing_company    no_row_is_missed
N30 in any order                      unit/quickbooks_reading    read_whatever_happens_meanwhile
N32 a page shorter than asked         integration/extract/reading a_page_of_another_length
N34 clocks ten minutes apart          integration/extract/reading a_quickbooks_whose_clock_is_wrong
N34 the worker's                      integration/extract/reading the_workers_clock_decides_nothing
N35 QuickBooks' clock put back        integration/extract/reading a_clock_that_is_put_back_during
N35 the database's                    integration/limiter        put_back_stops_nobody
N37 1,000 changes together            integration/extract/many_changes more_changes_than_quickbooks
N38 1,100 in one second               integration/extract/reading more_changes_within_one_second
N39 31, 45, 400 days                  integration/extract/positions read_longer_than_29_days_ago
N40 only deletes                      integration/extract/many_changes a_window_with_only_deletes
N41 a delete of a row never seen      integration/extract/deletes a_delete_of_a_row_never_seen
N42 created and deleted in between    integration/extract/changes what_happens_to_a_record
N43 no changes told of an entity      integration/extract/positions tells_no_changes_of
N44 a login's answer lost             integration/tokens         an_answer_that_got_lost
N44 and its worker killed             faults/token_loss          a_login_killed_at_any_point
N45 no refresh token in the answer    integration/tokens         refresh_token_that_is_not_repeated
N46 two log in at once                integration/tokens         many_processes_at_once_log_in_once
N48 a forged way back from Intuit     integration/pages          there_is_nothing_but_the_pages
N49 a login near its end              acceptance/status          a_login_that_ends_within_two_weeks
N49 and after it                      integration/tokens         an_ended_login_is_told_once
N50 fields new and renamed            integration/extract/reading a_field_that_nobody_knows
N50 are told                          integration/extract/drift  which_fields_are_new_and_which
D01 NUL                               integration/extract/versions what_postgres_cannot_store
D01 all the way into the CRM          faults/changing_company    odd_rows_stop_no_other_row
D02 half a character                  integration/extract/versions what_postgres_cannot_store
D03 ten megabytes                     faults/data                a_text_of_ten_megabytes
D03 too long for an index             faults/forty_ways          every_good_row_loads
D03 the same, twice                   integration/links          names_too_long_for_an_index
D06 NaN and Infinity in JSON          unit/quickbooks_records    what_is_not_json_is_no_envelope
D06 as a text                         faults/forty_ways          every_good_row_loads
D07 a key twice                       integration/extract/drift  says_two_things_of_one_field
D08 an amount too large               faults/forty_ways          every_good_row_loads
D09 more places than the column has   unit/check                 a_number_fits_exactly_when
D09 many digits                       integration/load           images_are_what_the_table_holds
D10 negative and nought               faults/data                negative_and_zero_amounts
D10 signs of documents                unit/documents             a_sign_may_depend_on_the_line
D11 no name                           faults/forty_ways          every_good_row_loads
D11 required, but blank               unit/check                 a_blank_ends_a_row_where
D12 nothing but spaces                unit/transform             what_shows_nothing_is_blank
D12 in a load                         faults/forty_ways          every_good_row_loads
D13 every sort of letters             faults/data                a_text_is_stored_as_it_was_sent
D13 in a page                         integration/pages          what_quickbooks_sent_cannot_become
D14 names written otherwise           integration/import_semantics equal_on_the_check_fields
D14 by cases                          integration/normal         the_normal_form_by_cases
D15 names that only look alike        integration/normal         what_only_looks_alike
D16 three and more alike              integration/import_semantics a_chain_of_equals_ends_alike
D17 the same address                  faults/data                customers_with_the_same_address
D18 values like SQL                   faults/data                a_text_is_stored_as_it_was_sent
D19 columns like SQL                  faults/data                a_column_that_the_table_has_not
D20 quotes in a query                 unit/quickbooks_reading    named_records_are_asked_for
D21 a formula                         faults/data                a_text_is_stored_as_it_was_sent
D22 markup                            integration/pages          what_quickbooks_sent_cannot_become
D23 parents in a circle               integration/import_semantics cycles_and_records
D23 fifty deep                        faults/data                parents_fifty_deep_are_found
D23 a circle is told                  integration/circles        a_circle_that_a_later_run_closes
D25 a reference to nothing            faults/data                a_reference_stays_open_until
D25 to what a person deleted          integration/links          a_record_that_a_person_deleted
D26 currencies                        acceptance/reconcile_documents amounts_agree_to_the_cent
D26 no currency, no rate              faults/data                an_odd_document_is_loaded_as_it
D26 another one than the customer's   integration/oddities       what_is_odd_is_brought_in
D27 a total that is not the sum       faults/data                an_odd_document_is_loaded_as_it
D27 what the sum is                   integration/oddities       what_is_odd_is_brought_in
D28 days long ago                     faults/data                a_day_stays_that_day
D29 days that never were              unit/check                 a_value_that_the_column_cannot
D29 in a load                         faults/forty_ways          every_good_row_loads
D30 an hour twice                     faults/data                a_moment_is_that_moment
D31 a day near midnight               faults/data                a_day_stays_that_day
D32 fractions of seconds              faults/data                a_moment_is_that_moment
D33 a word that nobody knows          faults/forty_ways          every_good_row_loads
D33 where the column takes any        faults/data                a_text_is_stored_as_it_was_sent
D33 is told                           integration/oddities       what_is_odd_is_brought_in
D34 another type than before          faults/forty_ways          every_good_row_loads
D34 by cases                          integration/json_types     a_field_of_another_type
D35 ids                               faults/data                an_id_is_a_text_of_any_length
D35 as numbers                        unit/quickbooks_records    an_odd_record_still_arrives
D37 inactive and active again         integration/load           inactive_deleted_and_back
D37 the ending of its name            unit/transform             the_ending_that_quickbooks_gives
D38 merged, and merged again          integration/stand_ins      a_chain_of_merges_leads
D38 while a run is open               integration/stand_ins      a_merge_told_while_a_run_is_open
D38 merges told in a circle           integration/stand_ins      merges_told_in_a_circle
D39 five hundred fields               faults/data                five_hundred_fields_of_its_own
D39 twelve hundred lines              faults/data                twelve_hundred_lines
D39 the memory of many such           faults/memory              take_no_more_memory
D40 a person writes meanwhile         faults/data                what_a_person_writes_between
D42 a person was there before         faults/data                a_record_that_a_person_made
D44 all bad                           integration/judge          a_load_of_which_too_much
D44 and no table is changed           acceptance/breakers        of_which_every_record_is_bad
K01 an alias bomb                     unit/mapping_document      a_file_that_would_swell
K02 an alias of itself                unit/mapping_document      a_file_that_is_not_plain_yaml
K03 a tag of Python                   unit/mapping_document      a_file_that_is_not_plain_yaml
K04 a key twice                       unit/mapping_document      a_file_that_is_not_plain_yaml
K06 a slip of the pen                 unit/mapping_mistakes      a_slip_of_one_letter
K07 null, empty, BOM, tabs            unit/mapping_document      a_file_that_is_not_plain_yaml
K07 a wrong type                      unit/mapping_mistakes      a_mistake_is_named_with_its_line
K09 two sources for a column          unit/mapping_mistakes      a_mistake_is_named_with_its_line
K10 two mappings, one table and key   unit/mapping_together      one_table_with_the_same_key
K11 no such table                     integration/catalog        a_table_that_is_not_there
K11 no such column                    integration/catalog        all_that_does_not_fit_is_told
K11 a table that cannot be written    integration/any_table      what_the_login_may_not_do
K12 a type that never fits            unit/suiting               what_never_fits
K12 a source longer than its column   unit/suiting               longer_than_its_column
K13 names that have to be quoted      integration/odd_names      a_column_may_be_called_anything
K13 names that are too long           unit/mapping_mistakes      a_mistake_is_named_with_its_line
K14 a protected column                integration/catalog        a_key_that_the_table_numbers
K14 the company column                unit/mapping_mistakes      a_mistake_is_named_with_its_line
K14 company and moments, by the table integration/mandatory_fields a_field_cannot_fill_what
K15 text that takes for ever          unit/mapping_paths         a_long_text_that_is_no_path
K16 values that no rule foresaw       unit/check                 whatever_text_comes_every_row
K17 edited during a run               integration/runs           a_mapping_edited_during_a_run
K18 a mandatory field not mapped      integration/mandatory_fields  all_missing_fields_by_label
K19 a template                        unit/mapping               a_constant_is_the_text_that
K20 no connection                     integration/hook           a_missing_connection_is_named
K20 an empty secret                   unit/quickbooks_settings   everything_wrong_is_said
K20 two companies with one realm      integration/runs           two_companies_do_not_share
K20 sandbox and production            unit/quickbooks_settings   never_read_from_another_address
"""

NUMBERS = {
    "N": [n for n in range(1, 51) if n not in (8, 12, 31, 33, 36, 47)],
    "D": [n for n in range(1, 45) if n not in (4, 5, 24, 36, 41, 43)],  # 43: the benchmarks
    "K": [n for n in range(1, 21) if n not in (5, 8)],
}


@pytest.mark.parametrize("row", ROWS.strip().splitlines())
def test_every_fault_has_the_test_that_is_said_to_cover_it(row: str) -> None:
    *_, file, part = row.split()
    folder, _, name = file.rpartition("/")

    found = [
        line
        for line in (TESTS / folder / f"test_{name}.py").read_text().splitlines()
        if line.startswith("def test_") and part in line
    ]

    assert found, f"{file} has no test whose name contains {part}"


@pytest.mark.parametrize("kind", NUMBERS)
def test_no_number_is_left_out(kind: str) -> None:
    told = {int(row[1:3]) for row in ROWS.strip().splitlines() if row[0] == kind}

    assert sorted(told) == NUMBERS[kind]
