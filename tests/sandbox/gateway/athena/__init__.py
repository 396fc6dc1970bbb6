# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Athena's query engine: Trino's SQL over Parquet in S3 through Glue tables, run by DuckDB with the caller's rights.

MiniStack 1.5.33 runs queries too, but reads its stores without rights, takes partitions from the paths instead of from
the catalog, ignores the workgroup's settings and hands Athena's SQL to DuckDB as it is.

`sql` parses, checks and translates; `catalog` answers for Glue; `projection` says which partitions a table's properties
describe; `engine` runs a query; `results` writes and reads what it returned; `hive_types` knows the types.
"""
