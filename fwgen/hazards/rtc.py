"""Hazards of the real-time clock."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, NOTE, WARNING, Kind

KINDS = (
    Kind(
        "rtc-alarm", WARNING, "an alarm on seconds with too small a prescaler", "RM0368 §17.3.3",
        "With PREDIV_S below 3 an alarm that compares seconds may not go off.",
        "choose PREDIV_S of at least 3",
    ),
    Kind(
        "rtc-calibrations", WARNING, "two calibrations together", "RM0368 §17.3.10",
        "Coarse and smooth calibration must not be used at the same time.",
        "leave CR.DCE or CALR at 0",
    ),
    Kind(
        "rtc-clock", ERROR, "an RTC clock above its limit", "RM0368 §6.3.3",
        "From the HSE the RTC may get 1 MHz at most.",
        "set CFGR.RTCPRE before RTCSEL",
    ),
    Kind(
        "rtc-edge", WARNING, "the edge of the time stamp changed while it is on",
        "RM0368 §17.6.3",
        "Changing TSEDGE while TSE is set may set TSF.",
        "clear TSE first",
    ),
    Kind(
        "rtc-locked", ERROR, "an RTC register written while it is locked", "RM0368 §17.3.5",
        "The RTC's registers are write-protected after a reset of the backup domain: the write is "
        "lost.",
        "write 0xCA, then 0x53 to WPR",
    ),
    Kind(
        "rtc-no-time", ERROR, "a time that there is not", "RM0368 §17.6.1",
        "The clock counts on from what was written, and never shows a time again.",
        "write TR and DR in BCD, in the format that CR.FMT says",
    ),
    Kind(
        "rtc-prescalers", NOTE, "both prescalers written at once", "RM0368 §17.3.5",
        "The manual asks for two writes to PRER.",
        "write PREDIV_S, then PREDIV_A",
    ),
    Kind(
        "rtc-shadow", WARNING, "the time read while it is being copied", "RM0368 §17.3.6",
        "TR and DR are copies that need some cycles of the RTC's clock: what is read need not be "
        "the time.",
        "wait for RSF, and read TR before DR",
    ),
    Kind(
        "rtc-shift", ERROR, "the clock shifted while the sub-seconds may overflow",
        "RM0368 §17.3.8",
        "SHIFTR adds to the sub-seconds, which must have room for it.",
        "check that bit 15 of SSR is 0",
    ),
    Kind(
        "rtc-source", ERROR, "the RTC's clock chosen a second time", "RM0368 §6.3.20",
        "Once chosen, only a reset of the backup domain frees the choice: the write is lost.",
        "reset the backup domain first: BDRST to 1, then to 0",
    ),
    Kind(
        "rtc-source-kept", NOTE, "the RTC's clock taken back", "RM0368 §6.3.20",
        "RTCSEL of 0 after a clock was chosen is lost: the RTC keeps its clock.",
        "write BDCR with the RTCSEL that was chosen, or reset the backup domain first",
    ),
    Kind(
        "rtc-tampered", ERROR, "a backup register written while tamper holds it",
        "RM0368 §17.3.13",
        "While TAMP1F is set the backup registers stay 0: the write is lost.",
        "clear TAMP1F first",
    ),
    Kind(
        "rtc-undated", NOTE, "a clock that counts without a date", "RM0368 §17.6.2",
        "A day of the week of 0 is forbidden, and there is no day or month 0. The time counts "
        "(ST's own time base rests on it); what midnight makes of the date nobody tells.",
        "write a date to DR",
    ),
    Kind(
        "rtc-wakeup", ERROR, "a wake-up period that is forbidden", "RM0368 §17.6.6",
        "WUT = 0 with RTCCLK/2 is forbidden.",
        "choose WUT of at least 1",
    ),
    Kind(
        "rtc-write", ERROR, "an RTC register written when it cannot be", "RM0368 §17.3.5",
        "Some fields can be written only in initialisation mode, or while what they set is off: "
        "the write is lost.",
        "enter initialisation mode (INIT, wait for INITF), or switch it off first",
    ),
)  # fmt: skip
