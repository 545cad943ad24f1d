/** completion: what a shell needs to finish words. */
import { Argument, type Command } from "commander";
import type { Context } from "../context.js";

export function addCompletion(program: Command, context: Context): void {
  program
    .command("completion")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]))
    .description("print a completion script: source <(dataknobs completion bash)")
    .action((shell: "bash" | "zsh" | "fish") => {
      context.out.write(scripts[shell](wordsOf(program)));
    });
}

interface Words {
  readonly command: string;
  readonly description: string;
  readonly options: readonly string[];
}

function wordsOf(program: Command): readonly Words[] {
  return program.commands.map((command) => ({
    command: command.name(),
    description: command.description().replaceAll("'", "’"),
    options: command.options.map(({ long }) => long ?? "").filter((name) => name !== ""),
  }));
}

const scripts = {
  bash: (words: readonly Words[]): string => `_dataknobs() {
  local word="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${words.map(({ command }) => command).join(" ")}" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${words.map(({ command, options }) => `    ${command}) [[ "$word" == -* ]] && COMPREPLY=($(compgen -W "${options.join(" ")}" -- "$word")) ;;`).join("\n")}
  esac
}
complete -o default -F _dataknobs dataknobs
`,
  zsh: (words: readonly Words[]): string => `#compdef dataknobs
_dataknobs() {
  local -a commands
  commands=(
${words.map(({ command, description }) => `    '${command}:${description.replaceAll(":", "\\:")}'`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "$words[2]" in
${words.map(({ command, options }) => `    ${command}) [[ "$PREFIX" == -* ]] && compadd -- ${options.join(" ")} || _files ;;`).join("\n")}
  esac
}
compdef _dataknobs dataknobs
`,
  fish: (words: readonly Words[]): string =>
    [
      ...words.map(
        ({ command, description }) =>
          `complete -c dataknobs -n __fish_use_subcommand -f -a '${command}' -d '${description}'`,
      ),
      ...words.flatMap(({ command, options }) =>
        options.map(
          (option) => `complete -c dataknobs -n '__fish_seen_subcommand_from ${command}' -l ${option.slice(2)}`,
        ),
      ),
      "",
    ].join("\n"),
};
