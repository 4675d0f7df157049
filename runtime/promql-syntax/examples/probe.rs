fn main() {
    let mut s = String::new();
    std::io::Read::read_to_string(&mut std::io::stdin(), &mut s).unwrap();
    for q in s.split('\0') {
        let (e, errs) = promql_syntax::parse(q);
        let printed = e.as_ref().map(|e| e.to_string()).unwrap_or_default();
        let errs: Vec<String> =
            errs.iter().map(|e| format!("{}..{} {}", e.span.start, e.span.end, e.message)).collect();
        println!("{}\x01{}", printed.replace('\n', "\\n"), errs.join("\x02"));
    }
}
