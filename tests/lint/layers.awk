# Includes point leftwards only: reads FILE:LINE:TEXT, prints violations of the order of the layers.
# `mobile` names the sources of the phone's executor, which must do without LibTorch's JIT part.
function allow(folder, list) { allowed[folder] = " " folder " " list " " }

# The layer of a path: runtime/plan, sim, tests, experiments.
function layer(path,    parts) {
  split(path, parts, "/")
  return parts[1] == "runtime" ? parts[1] "/" parts[2] : parts[1]
}

BEGIN {
  b = "runtime/base"; bm = b " runtime/model"; bmd = bm " runtime/device"
  c = "runtime/checkpoint"
  plan = bmd " runtime/plan"
  predict = plan " runtime/schedule runtime/predict"
  planner = predict " runtime/planner"
  allow("runtime/include", "")
  allow("runtime/python", " runtime/include")
  allow("runtime/base", "")
  allow("runtime/model", b)
  allow("runtime/device", bm)
  allow("runtime/arrivals", bmd)
  allow("runtime/supply", bmd)
  allow(c, bm)
  allow("runtime/events", bmd)
  allow("runtime/partition", bmd)
  allow("runtime/plan", bmd)
  allow("runtime/schedule", plan)
  allow("runtime/predict", predict)
  allow("runtime/planner", planner)
  allow("runtime/report", planner)
  allow("runtime/balance", planner " runtime/events")
  allow("runtime/engine", plan " runtime/schedule runtime/events")
  allow("runtime/measure", bmd " runtime/engine")
  allow("runtime/journal", plan " runtime/schedule runtime/events runtime/engine")
  allow("runtime/torch", bmd " " c " runtime/events")
  allow("runtime/text", bmd " " c " runtime/events")
  allow("runtime/sweep", b " runtime/text")
  allow("runtime/trust", b)
  allow("runtime/cache", bmd)
  allow("runtime/http", plan " runtime/schedule runtime/events runtime/engine runtime/text")
  allow("runtime/net", bmd " runtime/trust runtime/events")
  allow("runtime/pace", predict " runtime/net runtime/supply")
  allow("sim", bmd " runtime/events runtime/supply")
}

{
  colon = index($0, ":")
  file = substr($0, 1, colon - 1)
  rest = substr($0, colon + 1)
  line = substr(rest, 1, index(rest, ":") - 1)
  text = substr(rest, index(rest, ":") + 1)
}

text ~ /^[ \t]*#[ \t]*include/ {
  match(text, /[<"][^>"]*[>"]/)
  target = substr(text, RSTART + 1, RLENGTH - 2)
  includes[file] = includes[file] " " target
  where[file, target] = line
  from = layer(file)
  to = layer(target)
  if (target !~ /^(runtime|sim|tests|experiments)\//) next
  if (from == "tests" || from == "experiments") next
  if (from == "runtime/cli" || from == "runtime/app" || from == "runtime/library") {
    if (to == "tests" || to == "experiments") print file ":" line ": the program includes no " to "/"
    if (from != "runtime/cli" && to == "runtime/cli")
      print file ":" line ": " from " may not include " target " (includes point leftwards only)"
  } else if (!(from in allowed)) {
    print file ":" line ": " from " has no place in the order of the layers"
  } else if (index(allowed[from], " " to " ") == 0) {
    print file ":" line ": " from " may not include " target " (includes point leftwards only)"
  }
}

# Follows the includes of `file` inside this project and names those of the JIT part.
function visit(file,    targets, count, i) {
  if (file in visited) return
  visited[file] = 1
  count = split(includes[file], targets, " ")
  for (i = 1; i <= count; i++) {
    # But the list of operations: the mobile interpreter looks them up there itself.
    if (targets[i] != "torch/csrc/jit/runtime/operator.h" && \
        targets[i] ~ /^torch\/(script|torch|jit)\.h$|^torch\/csrc\/(jit\/(api|ir|passes|frontend|runtime)\/|autograd\/)/)
      print file ":" where[file, targets[i]] ": " targets[i] " belongs to LibTorch's JIT part, which phones do not have"
    if (targets[i] ~ /^runtime\//) {
      visit(targets[i])
    }
  }
}

END {
  count = split(mobile, mobiles, " ")
  for (m = 1; m <= count; m++) visit(mobiles[m])
}
