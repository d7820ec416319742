# SPDX-License-Identifier: Apache-2.0
"""Organizations: who owns products, who is in the team, and what each role may do."""
