# Reads FILE:LINE: TEXT of formatted code and prints functions longer than `limit` lines. A function
# starts at its first line without indentation (or with that of a member), its body at a line that
# ends with "{", and it ends at a "}" of its indentation.
{
  colon = index($0, ":")
  file = substr($0, 1, colon - 1)
  rest = substr($0, colon + 1)
  line = substr(rest, 1, index(rest, ":") - 1) + 0
  text = substr(rest, index(rest, ":") + 2)
  sub(/[ \t]+$/, "", text)
}
file != last { last = file; state[0] = state[2] = 0 }
text ~ /^(namespace|class|struct|enum|union|extern|using|#)/ { state[0] = state[2] = 0; next }
{ follow(0, "^[A-Za-z_~:]", "^}"); follow(2, "^  [A-Za-z_~:]", "^  }") }

# state: 0 outside, 1 in the first lines of something, 2 in its body.
function follow(indent, first, last_line) {
  if (state[indent] == 0 && text ~ first) {
    state[indent] = 1
    start[indent] = line
  }
  if (state[indent] == 1) {
    if (text ~ /\{$/) state[indent] = 2
    else if (text ~ /[;}]$/) state[indent] = 0
  } else if (state[indent] == 2 && text ~ last_line) {
    if (line - start[indent] + 1 > limit && (indent == 0 || state[0] == 0))
      print file ":" start[indent] ": a function of " line - start[indent] + 1 " lines; at most " limit
    state[indent] = 0
  }
}
