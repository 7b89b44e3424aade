// The words of troupe bundle and troupe context. Parsing only.
#include "launcher/bundle_options.hpp"

#include <CLI/CLI.hpp>

namespace troupe::launcher {

namespace {

class words {
public:
  words(const shared_options& shared, bundle_options& options, int& code)
    : shared_(shared), x_(options), code_(code) {}

  void add_context(CLI::App& app) {
    auto& group = group_of(app, "context", "Where bundles are kept together, and their remotes",
                           "context create research; troupe context remote research "
                           "s3://bucket/research");
    auto& create = verb(group, "create", bundle_verb::context_create,
                        "Make a context; done also where it is there", "create research");
    create.add_option("NAME", x_.name, "Its name: a-z, 0-9, '.', '_', '-'")->required();
    create.add_option("--remote", x_.remote, "Where it is pushed to, as for remote");
    verb(group, "ls", bundle_verb::context_ls, "List the contexts with their remotes", "ls");
    auto& remote = verb(group, "remote", bundle_verb::context_remote,
                        "Say where a context is pushed to", "remote research s3://bucket/research");
    remote.add_option("NAME", x_.name, "The context")->required();
    remote
      .add_option("REMOTE", x_.remote,
                  "A directory, s3://BUCKET/PREFIX, or troupe:DIR: the cluster of that directory")
      ->required();
  }

  void add_bundle(CLI::App& app) {
    auto& group = group_of(app, "bundle", "Named, immutable data with what it was made of",
                           "bundle add users users.csv; troupe bundle cat users");
    group.add_option("--context", x_.context,
                     "The context ($TROUPE_CONTEXT, or default, which is made on first use)");
    add_makers(group);
    add_questions(group);
    add_changes(group);
    add_moves(group);
  }

private:
  CLI::App& group_of(CLI::App& app, const char* name, const char* what, const char* example) {
    auto& out = *app.add_subcommand(name, what);
    out.require_subcommand(1);
    out.footer(std::string("Example: troupe ") + example);
    return out;
  }

  CLI::App& verb(CLI::App& group, const char* name, bundle_verb which, const char* what,
                 const char* example) {
    auto& out = *group.add_subcommand(name, what);
    out.footer("Example: troupe " + group.get_name() + " " + example);
    out.callback([&shared = shared_, &x = x_, &code = code_, which] {
      x.what = which;
      code = run_bundle_command(shared, x);
    });
    return out;
  }

  void name_of(CLI::App& to) {
    to.add_option("BUNDLE", x_.name, "Its uuid, an alias, or its name: the newest of that name")
      ->required();
  }

  void names_of(CLI::App& to, const char* otherwise) {
    to.add_option("BUNDLE", x_.names,
                  std::string("Their uuids, aliases, or names: the newest of each; none: ")
                    + otherwise);
  }

  CLI::Option& remote_of(CLI::App& to) {
    return *to.add_option("--remote", x_.remote,
                          "A directory, s3://BUCKET/PREFIX or troupe:DIR (default: the context's)");
  }

  void made_of(CLI::App& to) {
    to.add_option("--param", x_.parameters, "K=V: what it was made with")->allow_extra_args(false);
    to.add_option("--from", x_.sources,
                  "BUNDLE or BUNDLE:ARGUMENT: what it was made of, and as what that was used")
      ->allow_extra_args(false);
    to.add_option("--code", x_.code, "The version of the code that made it");
    to.add_option("--processing", x_.processing,
                  "The name of what makes it (default: from its code, parameters and sources)");
  }

  void add_makers(CLI::App& group) {
    auto& add = verb(group, "add", bundle_verb::add,
                     "Add files, a directory or a value; prints "
                     "the uuid",
                     "add features f.parquet --from users:raw --param depth=3 --code f1.py@7");
    add.add_option("NAME", x_.name, "Its name, which many versions share")->required();
    add.add_option("PATH", x_.paths, "A file, a directory, or several of them");
    add.add_option("--value", x_.value, "JSON, such as 0.93 or '{\"auc\": [0.9, 0.93]}'");
    add.add_option("--type", x_.type, "What it is, for people and programs, such as table");
    add.add_option("--tag", x_.tags, "K=V")->allow_extra_args(false);
    made_of(add);
    add.add_option("--took", x_.took, "How long making it took, until now, such as '90 s'");
    auto& find = verb(group, "find", bundle_verb::find,
                      "Print the uuid of the newest that was made so; fails where there is none",
                      "find features --from users:raw --param depth=3 --code f1.py@7");
    find.add_option("NAME", x_.name, "Its name")->required();
    made_of(find);
    auto& commit = verb(group, "commit", bundle_verb::commit,
                        "Make a directory the next version of what was checked out there, or of "
                        "the name it has; prints the uuid",
                        "commit ./users");
    commit.add_option("DIRECTORY", x_.path, "The directory")->required();
    commit.add_option("--name", x_.name, "The bundle's name");
    commit.add_option("--tag", x_.tags, "K=V")->allow_extra_args(false);
  }

  void add_questions(CLI::App& group) {
    auto& list = verb(group, "ls", bundle_verb::ls, "List the newest of each name, or all of one",
                      "ls features --tag stage=prod");
    list.add_option("NAME", x_.name, "Those of this name");
    list.add_option("--tag", x_.tags, "Only those with the tag K=V")->allow_extra_args(false);
    list.add_flag("--all", x_.all, "Every version of every name");
    list.add_flag("--removed", x_.removed, "Those that were removed, too");
    auto& cat = verb(group, "cat", bundle_verb::cat, "Print its value, or the bytes of a file",
                     "cat users");
    name_of(cat);
    cat.add_option("PATH", x_.path, "The file, where it has several");
    name_of(verb(group, "show", bundle_verb::show, "Show all that is known of it", "show users"));
    auto& out = verb(group, "checkout", bundle_verb::checkout,
                     "Write its files into a new directory", "checkout users ./users");
    name_of(out);
    out.add_option("DIRECTORY", x_.path, "It must not be there")->required();
  }

  void add_changes(CLI::App& group) {
    auto& tag = verb(group, "tag", bundle_verb::tag,
                     "Set tags, or take them away with K=", "tag users stage=prod draft=");
    name_of(tag);
    tag.add_option("TAG", x_.tags, "K=V, or K= to take it away")->required();
    auto& remove = verb(group, "rm", bundle_verb::remove,
                        "Remove bundles: what was made of them keeps its lineage", "rm users");
    remove.add_option("BUNDLE", x_.names, "Their uuids, aliases or names")->required();
    remove.add_flag("--all", x_.all, "Every version of each name");
    remove.add_flag("--dry-run", x_.dry_run, "Say what would be removed");
    auto* there = remove.add_flag("--on-remote", x_.on_remote,
                                  "Remove them from the remote, which knows no aliases, not here");
    remote_of(remove).needs(there);
    auto& alias = verb(group, "alias", bundle_verb::alias,
                       "Name one bundle for ever: the alias never means another one",
                       "alias release-1 model");
    alias.add_option("ALIAS", x_.alias, "The alias")->required();
    name_of(alias);
  }

  void add_moves(CLI::App& group) {
    auto& push = verb(group, "push", bundle_verb::push,
                      "Bring bundles to the remote; only what it lacks is moved", "push model");
    names_of(push, "all of the context");
    remote_of(push);
    auto& pull = verb(group, "pull", bundle_verb::pull,
                      "Fetch bundles from the remote, with the records of what they were made of",
                      "pull model");
    pull.add_option("BUNDLE", x_.names,
                    "Their uuids, or names: the newest of each on the remote; none: all of the "
                    "context");
    remote_of(pull);
    pull.add_flag("--records", x_.records, "What they are, without their bytes");
    auto& sweep
      = verb(group, "gc", bundle_verb::sweep, "Free the room of what was removed", "gc --dry-run");
    sweep.add_flag("--dry-run", x_.dry_run, "Say what would be done");
    sweep
      .add_option("--guard", x_.guard,
                  "How long what is unused stays, for commands that are under way")
      ->capture_default_str();
    auto* there = sweep.add_flag("--on-remote", x_.on_remote, "Sweep the remote instead");
    remote_of(sweep).needs(there);
  }

  const shared_options& shared_;
  bundle_options& x_;
  int& code_;
};

} // namespace

void add_bundle_commands(CLI::App& app, const shared_options& shared, bundle_options& options,
                         int& code) {
  words all(shared, options, code);
  all.add_context(app);
  all.add_bundle(app);
}

} // namespace troupe::launcher
