# SPDX-License-Identifier: Apache-2.0
"""Where things are kept: the database and its one writer, blobs, migrations, and the restore token."""
