# SPDX-License-Identifier: Apache-2.0
"""Mail: an outbox in the database, and what sends it."""
