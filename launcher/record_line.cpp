// The command line of the record.
#include "launcher/command_line.hpp"

#include <tuple>

namespace troupe::launcher {

namespace {

CLI::App& add_lineage(CLI::App& to, parsed& x, const std::string& name, const std::string& what,
                      const std::string& example, int starts) {
  auto& made = add_command(to, name, what, "lineage " + example);
  made
    .add_option("FROM", x.lineage_with.from,
                "A job's number, artifact:N, execution:N, a SHA-256, or the uri or name of an "
                "artifact, of which it is the newest")
    ->required()
    ->expected(starts);
  made.add_option("--depth", x.lineage_with.depth, "So many events far")->capture_default_str();
  made.add_option("--limit", x.lineage_with.limit, "So many nodes")
    ->check(CLI::Range(1, 100'000))
    ->capture_default_str();
  made.add_option("--until", x.lineage_with.until,
                  "No farther than artifacts that this filter "
                  "matches");
  made.add_option("--as-of", x.lineage_with.as_of, "As it was at this sequence number");
  return made;
}

void add_pictures(CLI::App& to, parsed& x) {
  auto* dot = to.add_flag("--dot", x.lineage_with.dot, "Print a picture, for Graphviz");
  to.add_flag("--svg", x.lineage_with.svg, "Print a picture, as SVG")->excludes(dot);
}

void add_list(CLI::App& to, parsed& x) {
  to.add_option("--kind", x.list_with.kind, "artifact, execution or context")
    ->check(CLI::IsMember({"artifact", "execution", "context"}))
    ->capture_default_str();
  to.add_option("--type", x.list_with.type, "Only those of a type");
  to.add_option("--where", x.list_with.where,
                "Only those that match a filter, such as \"properties.accuracy > 0.9\"");
}

void add_run_command(CLI::App& to, parsed& x) {
  auto& made = add_command(to, "add", "Record a run, and the files that it read and made",
                           "lineage add train --input train.csv --output model.bin "
                           "--output-type Model --set-output accuracy=0.93");
  auto& run = x.run_with;
  made.add_option("TYPE", run.type, "What kind of run it was")->required();
  made.add_option("--input", run.inputs, "A file that it read (again for more)")
    ->allow_extra_args(false);
  made.add_option("--output", run.outputs, "A file that it made (again for more)")
    ->allow_extra_args(false);
  made.add_option("--input-type", run.input_type, "Of inputs that are not known yet")
    ->capture_default_str();
  made.add_option("--output-type", run.output_type, "Of the outputs")->capture_default_str();
  made.add_option("--set", run.properties, "NAME=VALUE of the run: a number or a text")
    ->allow_extra_args(false);
  made.add_option("--set-output", run.output_properties, "The same of each output")
    ->allow_extra_args(false);
  made.add_option("--job", run.job, "The job that it belongs to")->envname("TROUPE_JOB");
  made.callback([&x] { x.code = add_run(x.shared, x.run_with); });
}

} // namespace

void add_record_commands(CLI::App& app, parsed& x) {
  auto& origin = add_command(app, "lineage", "What was made of what", "lineage show 3");
  origin.require_subcommand(1);
  for (auto [name, what, example] :
       {std::tuple("show", "Both ways; of a job, what it read and made", "show 3 --svg"),
        std::tuple("upstream", "What it was made of", "upstream model.bin"),
        std::tuple("downstream", "What was made of it", "downstream /data/train.csv")}) {
    auto& made = add_lineage(origin, x, name, what, example, 1);
    add_pictures(made, x);
    made.callback([&x, way = std::string{name}] {
      x.lineage_with.way = way == "show" ? "both" : way;
      x.code = lineage(x.shared, x.lineage_with);
    });
  }
  add_lineage(origin, x, "diff", "What two were made of that is not the same", "diff 3 4", 2)
    .callback([&x] { x.code = lineage_difference(x.shared, x.lineage_with); });
  add_run_command(origin, x);
  auto& list = add_command(app, "artifacts", "List what the record holds, the newest first",
                           "artifacts --type Model --where \"properties.accuracy > 0.9\"");
  add_list(list, x);
  list.add_option("--limit", x.list_with.limit, "So many")
    ->check(CLI::Range(1, 1'000'000))
    ->capture_default_str();
  list.add_option("--as-of", x.list_with.as_of, "As it was at this sequence number");
  list.callback([&x] { x.code = artifacts(x.shared, x.list_with); });
  auto& watch = add_command(app, "watch", "Print each change of the record as it comes",
                            "watch --type Model --json");
  add_list(watch, x);
  auto* name = watch.add_option("--subscription", x.list_with.subscription,
                                "A name, to go on later where this ends (default: from now on)");
  watch.add_flag("--remove", x.list_with.remove, "Remove the subscription, and watch nothing")
    ->needs(name);
  watch.add_option("--count", x.list_with.count, "End after so many (default: never)");
  watch.callback([&x] { x.code = watch_record(x.shared, x.list_with); });
  auto& check = add_command(app, "fsck", "Look for what is broken in the record and in bundles",
                            "fsck --read");
  check.add_flag("--read", x.check_with.read, "Read every chunk of the bundles, too");
  check.callback([&x] { x.code = check_record(x.shared, x.check_with); });
  auto& copy
    = add_command(app, "backup", "Copy the record, the jobs and the bundles while the cluster runs",
                  "backup /backup/monday");
  copy.add_option("DIRECTORY", x.backup_to, "A directory that is not there yet")
    ->required()
    ->transform(CLI::Validator{make_absolute, ""});
  copy.callback([&x] { x.code = backup(x.shared, x.backup_to); });
}

} // namespace troupe::launcher
