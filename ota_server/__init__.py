# SPDX-License-Identifier: Apache-2.0
"""The update server: devices report in, releases roll out to them cohort by cohort."""
