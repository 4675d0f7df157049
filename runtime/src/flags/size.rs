//! Flags with numbers of bytes.

/// Reads `512MiB`, `1GB`, `1048576`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KB" => 1 << 10,
        "KiB" => 1 << 10,
        "MB" | "MiB" => 1 << 20,
        "GB" | "GiB" => 1 << 30,
        "TB" | "TiB" => 1 << 40,
        _ => return Err("write a number of bytes, as in 512MiB or 2GiB".to_owned()),
    };
    let number: u64 =
        number.parse().map_err(|_| "write a number of bytes, as in 512MiB or 2GiB".to_owned())?;
    number
        .checked_mul(factor)
        .filter(|size| *size > 0)
        .ok_or_else(|| "more than 0, less than 16 EiB".to_owned())
}
