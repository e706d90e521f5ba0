"""Which scenarios cannot give the same trace through pymesos' API, and why."""

from __future__ import annotations

_REASONS = {
    "pymesos has no updateFramework": """
        every_call_inside_offer_rescinded update_framework_before_registration update_framework_cannot_change_everything
        update_framework_changes_roles_and_rescinds_offers update_framework_changes_what_may_change
        update_framework_suppresses_and_unsuppresses update_framework_with_a_suppressed_role_twice
        update_framework_with_another_id
    """,
    "the scenario calls updateFramework among others, which pymesos does not have": """
        calls_after_abort calls_after_stop calls_before_start messages_of_the_wrong_type too_few_and_too_many_arguments
    """,
    "pymesos cannot suppress roles from the start": "every_role_suppressed_from_the_start roles_suppressed_from_the_start",
    "abort() is stop(): the framework is removed": """
        abort_after_stop abort_before_start abort_inside_callbacks abort_leaves_tasks_running_and_calls_nothing_back
        abort_twice_then_stop_twice start_after_stop_and_after_abort
        an_update_is_not_acknowledged_when_its_callback_aborted_the_driver
        an_update_is_not_acknowledged_when_its_callback_raised
    """,
    "calls take dicts and text, which the adapter makes of messages alone": """
        a_text_where_an_id_belongs a_text_where_roles_belong bytes_and_text_as_a_framework_message
        iterables_that_are_no_lists keyword_arguments text_beyond_ascii_and_mutable_bytes_as_a_framework_message
        the_constructor_refuses
    """,
    "a call while the driver is not connected is ignored": """
        no_master_leads_for_a_while suppression_survives_a_disconnection the_leader_moves_to_another_master_and_back
    """,
    "an empty list of roles means all roles": "suppress_and_revive_of_no_role_change_nothing",
    "GPU_RESOURCES is added to the capabilities": "registration_with_every_field",
    "the address is looked at by start(), not by the constructor": "a_master_that_cannot_be_understood",
    "a status without agent_id raises KeyError": "acknowledgements_that_ask_for_nothing",
    "acknowledgements may be sent although they are implicit": "acknowledging_in_implicit_mode",
    "an operation may have an id, and its updates come": "an_operation_with_an_id",
    "the master's JSON has the default of a role that is not set": "reservations_with_reservation_refinement",
}
EXCLUDED = {name: reason for reason, names in _REASONS.items() for name in names.split()}
"""The reasons, by the names of scenarios."""
