# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays AWS Billing: writes Cost and Usage Reports (CUR 1.0) into the bucket of a report definition, when told to."""
