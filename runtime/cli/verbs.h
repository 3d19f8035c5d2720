#pragma once
// The verbs of `lingua`: each declares its options on a subcommand and what to do when it is
// chosen.

namespace CLI {
class App;
}

namespace lingua {

void add_chat(CLI::App& app);
void add_serve(CLI::App& app);
void add_classify(CLI::App& app);
void add_completion(CLI::App& app);  // after all others
void add_inspect(CLI::App& app);
void add_keys(CLI::App& app);
void add_log(CLI::App& app);
void add_measure(CLI::App& app);
void add_model(CLI::App& app);
void add_plan(CLI::App& app);
void add_plot(CLI::App& app);
void add_reference(CLI::App& app);
void add_report(CLI::App& app);
void add_reproduce(CLI::App& app);
void add_rerun(CLI::App& app);
void add_run(CLI::App& app);
void add_score(CLI::App& app);
void add_simulate_and_emulate(CLI::App& app);
void add_sweep(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_trace(CLI::App& app);
void add_worker(CLI::App& app);

}  // namespace lingua
