"""What SQLite can do, as far as SQLAlchemy's suite asks: the same for all dialects that are compared.

`SuiteRequirements` assumes that a database can do little. Where it is right about SQLite, nothing is said here. Names
that one version of SQLAlchemy doesn't know are harmless.
"""

from typing import Any

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

_CAN = """
    aggregate_order_by autocommit binary_literals boolean_col_expressions check_constraint_reflection
    computed_columns computed_columns_reflect_persisted computed_columns_stored computed_columns_virtual
    create_table_as create_temp_table_as ctes ctes_on_dml ctes_with_update_delete ctes_with_values date_historic
    datetime_historic datetime_literals dbapi_lastrowid deferrable_fks emulated_lastrowid except_
    expression_server_defaults fk_constraint_option_reflection_ondelete_noaction
    fk_constraint_option_reflection_ondelete_restrict fk_constraint_option_reflection_onupdate_restrict
    float_or_double_precision_behaves_generically foreign_key_constraint_name_reflection
    foreign_key_constraint_option_reflection_ondelete foreign_key_constraint_option_reflection_onupdate
    has_temp_table index_ddl_if_exists indexes_with_ascdesc indexes_with_expressions infinity_floats
    inline_check_constraint_reflection intersect isolation_level json_array_indexes json_type
    legacy_unconditional_json_extract mod_operator_as_percent_sign non_updating_cascade nullsordering nvarchar_types
    order_by_col_from_union order_by_label_with_expression percent_schema_names precision_numerics_enotation_small
    precision_numerics_retains_significant_digits reflect_table_options reflects_pk_names regexp_match
    repeated_column_foreign_keys repeated_remote_col_foreign_keys savepoints server_defaults
    skip_autocommit_rollback supports_bitwise_and supports_bitwise_not supports_bitwise_or supports_bitwise_shift
    table_ddl_if_exists temp_table_names temporary_views timestamp_microseconds tuple_in unicode_ddl update_from
    uuid_data_type views window_functions window_range window_range_numeric
"""

_CANNOT = """
    implicitly_named_constraints
    independent_connections
    parens_in_union_contained_select_w_limit_offset
    parens_in_union_contained_select_wo_limit_offset
"""
# independent_connections: the suite attaches its second schema to the connections of one engine only.


class Requirements(SuiteRequirements):
    """Read by SQLAlchemy's plugin; see setup.cfg."""

    def get_isolation_levels(self, _config: Any) -> dict[str, Any]:
        return {"default": "SERIALIZABLE", "supported": ["READ UNCOMMITTED", "SERIALIZABLE", "AUTOCOMMIT"]}

    def get_order_by_collation(self, _config: Any) -> str:
        return "nocase"


for _name in _CAN.split():
    setattr(Requirements, _name, property(lambda _self: exclusions.open()))
for _name in _CANNOT.split():
    setattr(Requirements, _name, property(lambda _self: exclusions.closed()))
