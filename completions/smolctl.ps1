# PowerShell completion for smolctl, written by `make completions`.

Register-ArgumentCompleter -Native -CommandName 'smolctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What may follow each command. A value is a list of words, or what to ask smolctl for;
    # where there is nothing to offer, PowerShell offers files.
    $tree = @{
        'smolctl' = @{
            Commands = [ordered]@{
                'model' = 'Work with models: run, pull, list, remove.'
                'serve' = 'Serve all models over HTTP: OpenAI''s API, on port 12434.'
                'share' = 'Serve the models that are here as a registry for other machines.'
                'login' = 'Log in to a registry, Docker Hub by default.'
                'logout' = 'Forget the credentials for a registry.'
                'logs' = 'Prompts and replies, kept when it is on; off at first.'
                'completion' = 'Print the script that completes commands in a shell.'
                'demo' = 'Pull and run a small demo model, from a registry on loopback.'
                'version' = 'Print the versions of smolctl and of what it runs on.'
            }
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--version' = 'Print the version and leave.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model' = @{
            Commands = [ordered]@{
                'run' = 'Run a model: answer a prompt, or chat on a terminal.'
                'batch' = 'Answer many prompts with one model, several at once.'
                'sessions' = 'Conversations that `run` goes on with.'
                'ps' = 'List the models that are loaded, and until when.'
                'unload' = 'Have models leave the memory (also: stop).'
                'logs' = 'Show the log of a model''s process.'
                'status' = 'Show what runs, and where things are.'
                'bench' = 'Measure how fast a model is on this machine.'
                'pull' = 'Bring a model from its registry to this machine.'
                'search' = 'Search for models on Docker Hub, or in a registry.'
                'variants' = 'List the variants of a model that its registry has.'
                'card' = 'Show a model''s card: what it is, what it is for, its variants.'
                'ls' = 'List the models that are here (also: list).'
                'inspect' = 'Show everything about a model (also: show).'
                'resolve' = 'Print the path of a model''s GGUF file, for other tools.'
                'tag' = 'Give a model another name.'
                'rm' = 'Remove a name; the model goes with its last name.'
                'df' = 'Show what the models take of the disk.'
                'prune' = 'Delete from the cache what no model needs.'
                'verify' = 'Hash what is here again, and mend what is damaged.'
                'package' = 'Make a model of a GGUF file, or of a model that is here.'
                'push' = 'Send a model to its registry.'
                'cp' = 'Copy a model from one registry to another.'
                'save' = 'Write models to a tar, for machines without a network.'
                'load' = 'Take models in from a tar, or from an OCI image layout.'
            }
            Aliases = [ordered]@{
                'stop' = 'unload'
                'list' = 'ls'
                'show' = 'inspect'
            }
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model run' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @('models', $null)
            Repeats = $true
            Options = [ordered]@{
                '--system' = 'The system prompt; @FILE reads it from a file, and @@ begins one with an @.'
                '--prompt-file' = 'Read the prompt from this file; it goes after the words, if there are some.'
                '-f' = 'Add the text of this file after the prompt; may be given several times, and each text is under its file''s name then. `-` is standard input.'
                '--file' = 'Add the text of this file after the prompt; may be given several times, and each text is under its file''s name then. `-` is standard input.'
                '--chunk' = 'Work on text that is longer than the context piece by piece, and on the answers like that again, until one answer is left.'
                '--session' = 'Keep the conversation, and go on with it.'
                '-c' = 'Go on with the last conversation that was kept.'
                '--continue' = 'Go on with the last conversation that was kept.'
                '--schema' = 'Answer in JSON that follows a schema: ''name, age int, tags[], bio: one line'', JSON, or a file with one of them (@FILE too). Types are int, float, bool and str; the model is told the fields, and what is said of them after a colon.'
                '--schema-multi' = 'The same for many records: {"items": [...]}.'
                '--format' = 'json: answer in JSON, an object of any form.'
                '--grammar' = 'Answer as this GBNF grammar says.'
                '--tools' = 'Offer the tools in this JSON file (OpenAI''s format), and print the calls, a JSON object a line; text goes to stderr.'
                '--tool-choice' = 'auto: call tools or not; required: call one; or the name of the one to call.'
                '-x' = 'Print the first fenced code block alone, and stop after it.'
                '--extract' = 'Print the first fenced code block alone, and stop after it.'
                '--json' = 'Print one JSON object: text, finish reason, tokens, timings; on one line in a pipe.'
                '--verbose' = 'Print tokens, rates and times, on stderr.'
                '--no-stream' = 'Print the answer in one piece, when it is whole.'
                '--no-markdown' = 'Show the answer as it is, also on a terminal.'
                '--temperature' = 'How freely to choose; 0 always takes the likeliest token.'
                '--top-k' = 'Choose among this many tokens; 0 among all.'
                '--top-p' = 'Choose among the likeliest that sum up to this.'
                '--min-p' = 'Leave out tokens below this share of the best.'
                '--repeat-penalty' = 'Above 1: make repetition less likely.'
                '--seed' = 'The same seed gives the same answer; random by default.'
                '-n' = 'End the answer after this many.'
                '--max-tokens' = 'End the answer after this many.'
                '--stop' = 'End the answer before this text; may be given several times.'
                '--ctx-size' = 'Tokens of context; else the model''s.'
                '--threads' = 'CPU threads; else one per core.'
                '--parallel' = 'Answers side by side, each with a whole context; else 4 share one.'
                '--gpu-layers' = 'Layers on the GPU; auto: what fits.'
                '--flash-attn' = 'Flash attention; on by default.'
                '--cache-type-k' = 'Keys in the KV cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0.'
                '--cache-type-v' = 'Values in the KV cache; types as above.'
                '--keep-alive' = 'How long the idle model stays loaded: 5m, 0, -1 for ever (also: SMOLCTL_KEEP_ALIVE).'
                '-d' = 'Load the model, and leave.'
                '--detach' = 'Load the model, and leave.'
                '--local' = 'Load it in this process, and leave nothing running.'
                '--pull' = 'When to ask the registry: if the model is missing, always, if there is a newer one (the registry may be out of reach), never.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--system' = $null
                '--prompt-file' = $null
                '-f' = $null
                '--file' = $null
                '--session' = 'sessions'
                '--schema' = $null
                '--schema-multi' = $null
                '--format' = @('text', 'json')
                '--grammar' = $null
                '--tools' = $null
                '--tool-choice' = @('auto', 'required')
                '--temperature' = $null
                '--top-k' = $null
                '--top-p' = $null
                '--min-p' = $null
                '--repeat-penalty' = $null
                '--seed' = $null
                '-n' = $null
                '--max-tokens' = $null
                '--stop' = $null
                '--ctx-size' = $null
                '--threads' = $null
                '--parallel' = $null
                '--gpu-layers' = @('auto')
                '--flash-attn' = @('auto', 'on', 'off')
                '--cache-type-k' = @('f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0')
                '--cache-type-v' = @('f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0')
                '--keep-alive' = $null
                '--pull' = @('missing', 'always', 'newer', 'never')
                '--ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl model batch' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @('models', $null)
            Repeats = $false
            Options = [ordered]@{
                '-o' = 'Where the results go; `-`: standard output.'
                '--output' = 'Where the results go; `-`: standard output.'
                '--overwrite' = 'Begin OUT anew; else finished rows are kept.'
                '--lines' = 'Each line of IN is a prompt; empty ones are none.'
                '--template' = 'The prompt, with fields of the row: ''Translate {text}:''; @FILE reads it from a file.'
                '--jobs' = 'Rows at once; else as many as the model answers side by side.'
                '--system' = 'The system prompt; @FILE reads it from a file, and @@ begins one with an @.'
                '--chunk' = 'Work on text that is longer than the context piece by piece, and on the answers like that again, until one answer is left.'
                '--schema' = 'Answer in JSON that follows a schema: ''name, age int, tags[], bio: one line'', JSON, or a file with one of them (@FILE too). Types are int, float, bool and str; the model is told the fields, and what is said of them after a colon.'
                '--schema-multi' = 'The same for many records: {"items": [...]}.'
                '--format' = 'json: answer in JSON, an object of any form.'
                '--grammar' = 'Answer as this GBNF grammar says.'
                '--temperature' = 'How freely to choose; 0 always takes the likeliest token.'
                '--top-k' = 'Choose among this many tokens; 0 among all.'
                '--top-p' = 'Choose among the likeliest that sum up to this.'
                '--min-p' = 'Leave out tokens below this share of the best.'
                '--repeat-penalty' = 'Above 1: make repetition less likely.'
                '--seed' = 'The same seed gives the same answer; random by default.'
                '-n' = 'End the answer after this many.'
                '--max-tokens' = 'End the answer after this many.'
                '--stop' = 'End the answer before this text; may be given several times.'
                '--ctx-size' = 'Tokens of context; else the model''s.'
                '--threads' = 'CPU threads; else one per core.'
                '--parallel' = 'Answers side by side, each with a whole context; else 4 share one.'
                '--gpu-layers' = 'Layers on the GPU; auto: what fits.'
                '--flash-attn' = 'Flash attention; on by default.'
                '--cache-type-k' = 'Keys in the KV cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0.'
                '--cache-type-v' = 'Values in the KV cache; types as above.'
                '--keep-alive' = 'How long the idle model stays loaded: 5m, 0, -1 for ever (also: SMOLCTL_KEEP_ALIVE).'
                '--local' = 'Load it in this process, and leave nothing running.'
                '-q' = 'No progress, and no summary at the end.'
                '--quiet' = 'No progress, and no summary at the end.'
                '--pull' = 'When to ask the registry: if the model is missing, always, if there is a newer one (the registry may be out of reach), never.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '-o' = $null
                '--output' = $null
                '--template' = $null
                '--jobs' = $null
                '--system' = $null
                '--schema' = $null
                '--schema-multi' = $null
                '--format' = @('text', 'json')
                '--grammar' = $null
                '--temperature' = $null
                '--top-k' = $null
                '--top-p' = $null
                '--min-p' = $null
                '--repeat-penalty' = $null
                '--seed' = $null
                '-n' = $null
                '--max-tokens' = $null
                '--stop' = $null
                '--ctx-size' = $null
                '--threads' = $null
                '--parallel' = $null
                '--gpu-layers' = @('auto')
                '--flash-attn' = @('auto', 'on', 'off')
                '--cache-type-k' = @('f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0')
                '--cache-type-v' = @('f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0')
                '--keep-alive' = $null
                '--pull' = @('missing', 'always', 'newer', 'never')
                '--ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl model sessions' = @{
            Commands = [ordered]@{
                'ls' = 'List the conversations (also: list).'
                'show' = 'Show what was said in one.'
                'rm' = 'Delete conversations (also: remove).'
            }
            Aliases = [ordered]@{
                'list' = 'ls'
                'remove' = 'rm'
            }
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model sessions ls' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--json' = 'Print JSON.'
                '-q' = 'Print only names and numbers.'
                '--quiet' = 'Print only names and numbers.'
                '-a' = 'Also what the log keeps of one prompt alone.'
                '--all' = 'Also what the log keeps of one prompt alone.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model sessions show' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'sessions')
            Repeats = $false
            Options = [ordered]@{
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model sessions rm' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'sessions')
            Repeats = $true
            Options = [ordered]@{
                '--all' = 'Delete all conversations.'
                '-y' = 'Delete without a question, also in a script.'
                '--yes' = 'Delete without a question, also in a script.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model ps' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--json' = 'Print JSON.'
                '-q' = 'Print only IDs.'
                '--quiet' = 'Print only IDs.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model unload' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'running')
            Repeats = $true
            Options = [ordered]@{
                '--all' = 'All models that are loaded.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model logs' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $false
            Options = [ordered]@{
                '-f' = 'Go on with what is written from now on.'
                '--follow' = 'Go on with what is written from now on.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model status' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model bench' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $false
            Options = [ordered]@{
                '--concurrency' = 'How many answers at once, one run after another.'
                '-p' = 'Tokens of each prompt.'
                '--prompt-tokens' = 'Tokens of each prompt.'
                '-n' = 'Tokens of each answer.'
                '--max-tokens' = 'Tokens of each answer.'
                '-r' = 'How often each is measured.'
                '--repetitions' = 'How often each is measured.'
                '--threads' = 'CPU threads; else one per core.'
                '--gpu-layers' = 'Layers on the GPU; auto: what fits.'
                '--flash-attn' = 'Flash attention; on by default.'
                '--cache-type-k' = 'Keys in the KV cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0.'
                '--cache-type-v' = 'Values in the KV cache; types as above.'
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--concurrency' = $null
                '-p' = $null
                '--prompt-tokens' = $null
                '-n' = $null
                '--max-tokens' = $null
                '-r' = $null
                '--repetitions' = $null
                '--threads' = $null
                '--gpu-layers' = @('auto')
                '--flash-attn' = @('auto', 'on', 'off')
                '--cache-type-k' = @('f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0')
                '--cache-type-v' = @('f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0')
            }
        }
        'smolctl model pull' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $true
            Options = [ordered]@{
                '-q' = 'Print only the digest, no progress.'
                '--quiet' = 'Print only the digest, no progress.'
                '--json' = 'Print JSON.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl model search' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, $null)
            Repeats = $true
            Options = [ordered]@{
                '--registry' = 'Search this registry, by names, and not Docker Hub.'
                '-n' = 'How many to show.'
                '--limit' = 'How many to show.'
                '--json' = 'Print JSON.'
                '-q' = 'Print only names.'
                '--quiet' = 'Print only names.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--registry' = 'registries'
                '-n' = $null
                '--limit' = $null
                '--ca-file' = $null
                '--retries' = $null
            }
        }
        'smolctl model variants' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $false
            Options = [ordered]@{
                '--ctx-size' = 'Tokens of context to estimate the memory for.'
                '--limit' = 'Tags to look at.'
                '-q' = 'Print only digests.'
                '--quiet' = 'Print only digests.'
                '--json' = 'Print JSON.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--ctx-size' = $null
                '--limit' = $null
                '--ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl model card' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $false
            Options = [ordered]@{
                '--markdown' = 'Print Markdown, on a terminal as well.'
                '--json' = 'Print JSON.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--ca-file' = $null
                '--retries' = $null
            }
        }
        'smolctl model ls' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $false
            Options = [ordered]@{
                '--json' = 'Print JSON.'
                '-q' = 'Print only IDs.'
                '--quiet' = 'Print only IDs.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model inspect' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $false
            Options = [ordered]@{
                '-r' = 'As its registry has it now, without pulling its weights.'
                '--remote' = 'As its registry has it now, without pulling its weights.'
                '--template' = 'Print the chat template alone.'
                '--license' = 'Print the texts of its licenses alone.'
                '--json' = 'Print JSON.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--ca-file' = $null
                '--retries' = $null
            }
        }
        'smolctl model resolve' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $false
            Options = [ordered]@{
                '--pull' = 'When to ask the registry: if the model is missing, always, if there is a newer one (the registry may be out of reach), never.'
                '--json' = 'Print JSON.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--pull' = @('missing', 'always', 'newer', 'never')
                '--ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl model tag' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @('models', $null)
            Repeats = $false
            Options = [ordered]@{
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model rm' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $true
            Options = [ordered]@{
                '-f' = 'By ID: also when it has several names.'
                '--force' = 'By ID: also when it has several names.'
                '--json' = 'Print JSON.'
                '-q' = 'Print only IDs.'
                '--quiet' = 'Print only IDs.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model df' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '-v' = 'List models and leftovers one by one.'
                '--verbose' = 'List models and leftovers one by one.'
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl model prune' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '-a' = 'Also models that no tag names, and partial downloads of any age.'
                '--all' = 'Also models that no tag names, and partial downloads of any age.'
                '--older-than' = 'Only what has not changed for so long: 7d, 12h, 2w, 0. Without it, 7d for partial downloads.'
                '--dry-run' = 'Say what would be deleted, and delete nothing.'
                '-y' = 'Delete without a question, also in a script.'
                '--yes' = 'Delete without a question, also in a script.'
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--older-than' = $null
            }
        }
        'smolctl model verify' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $true
            Options = [ordered]@{
                '--repair' = 'Fetch what is damaged from its registry.'
                '-q' = 'Show no progress.'
                '--quiet' = 'Show no progress.'
                '--json' = 'Print JSON.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl model package' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, $null)
            Repeats = $false
            Options = [ordered]@{
                '--gguf' = 'The model''s file; of several shards the first.'
                '--from' = 'Begin with a model that is here, and change what the other flags say.'
                '-l' = 'A license; may be given again.'
                '--license' = 'A license; may be given again.'
                '--chat-template' = 'A chat template, in Jinja.'
                '--mmproj' = 'A multimodal projector, in GGUF.'
                '--card' = 'The model card: a README.md.'
                '--context-size' = 'The context to run it with.'
                '--quantize' = 'Quantize the weights first: Q4_K_M.'
                '--format' = 'Docker''s kind of artifact, or CNCF ModelPack''s; docker without it.'
                '--annotation' = 'An annotation of the manifest.'
                '--created' = 'When it was made (2026-01-31T12:00:00Z); SOURCE_DATE_EPOCH without it.'
                '--push' = 'Push it afterwards.'
                '-q' = 'Print only the ID, no progress.'
                '--quiet' = 'Print only the ID, no progress.'
                '--json' = 'Print JSON.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--gguf' = $null
                '--from' = 'models'
                '-l' = $null
                '--license' = $null
                '--chat-template' = $null
                '--mmproj' = $null
                '--card' = $null
                '--context-size' = $null
                '--quantize' = @('Q4_K_M', 'Q5_K_M', 'Q6_K', 'Q8_0', 'Q4_0', 'IQ4_XS', 'F16')
                '--format' = @('docker', 'cncf')
                '--annotation' = $null
                '--created' = $null
                '--ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl model push' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $true
            Options = [ordered]@{
                '-q' = 'Print only the digest, no progress.'
                '--quiet' = 'Print only the digest, no progress.'
                '--json' = 'Print JSON.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl model cp' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @($null, $null)
            Repeats = $false
            Options = [ordered]@{
                '-q' = 'Print only the digest, no progress.'
                '--quiet' = 'Print only the digest, no progress.'
                '--json' = 'Print JSON.'
                '--from-plain-http' = 'Speak HTTP to the registry of SOURCE.'
                '--to-plain-http' = 'Speak HTTP to the registry of TARGET.'
                '--from-ca-file' = 'Certificates to trust for SOURCE.'
                '--to-ca-file' = 'Certificates to trust for TARGET.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--from-ca-file' = $null
                '--to-ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl model save' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $true
            Options = [ordered]@{
                '-o' = 'The tar; stdout without it, or as -.'
                '--output' = 'The tar; stdout without it, or as -.'
                '-q' = 'Show no progress.'
                '--quiet' = 'Show no progress.'
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '-o' = $null
                '--output' = $null
            }
        }
        'smolctl model load' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, $null)
            Repeats = $false
            Options = [ordered]@{
                '--tag' = 'Only the model of that name or tag.'
                '--name' = 'What to call it here.'
                '-q' = 'Print only the IDs, no progress.'
                '--quiet' = 'Print only the IDs, no progress.'
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--tag' = $null
                '--name' = $null
            }
        }
        'smolctl serve' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--host' = 'The address to listen on; beyond loopback, an API key is needed.'
                '--port' = 'The port; 0 takes a free one.'
                '--api-key' = 'What clients have to send. SMOLCTL_API_KEY and --api-key-file keep it from the list of processes.'
                '--api-key-file' = 'A file with the API key in it.'
                '--allow-origin' = 'Let pages of this origin (https://app.example) in; * for all, with an API key.'
                '--allow-host' = 'Answer to this host name, too.'
                '--ctx-size' = 'Tokens of context; else the model''s.'
                '--parallel' = 'Answers side by side, each with a whole context; else 4 share one.'
                '--threads' = 'CPU threads; else one per core.'
                '--gpu-layers' = 'Layers on the GPU; auto: what fits.'
                '--flash-attn' = 'Flash attention; on by default.'
                '--cache-type-k' = 'Keys in the KV cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0.'
                '--cache-type-v' = 'Values in the KV cache; types as above.'
                '--keep-alive' = 'How long an idle model stays loaded: 5m, 0, -1 for ever (also: SMOLCTL_KEEP_ALIVE).'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--max-connections' = 'Connections to fetch over at once; 8 unless config.toml says otherwise.'
                '--retries' = 'How often to try again in a row when the network fails; 7 unless config.toml says otherwise.'
                '--offline' = 'Keep off the network (also: SMOLCTL_OFFLINE=1).'
                '-q' = 'Say nothing of the requests.'
                '--quiet' = 'Say nothing of the requests.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--host' = $null
                '--port' = $null
                '--api-key' = $null
                '--api-key-file' = $null
                '--allow-origin' = $null
                '--allow-host' = $null
                '--ctx-size' = $null
                '--parallel' = $null
                '--threads' = $null
                '--gpu-layers' = @('auto')
                '--flash-attn' = @('auto', 'on', 'off')
                '--cache-type-k' = @('f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0')
                '--cache-type-v' = @('f32', 'f16', 'bf16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0')
                '--keep-alive' = $null
                '--ca-file' = $null
                '--max-connections' = $null
                '--retries' = $null
            }
        }
        'smolctl share' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'models')
            Repeats = $true
            Options = [ordered]@{
                '--host' = 'The address to listen on; 0.0.0.0 for other machines.'
                '--port' = 'The port; 0 takes a free one.'
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--host' = $null
                '--port' = $null
            }
        }
        'smolctl login' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'registries')
            Repeats = $false
            Options = [ordered]@{
                '-u' = 'Who you are to the registry.'
                '--username' = 'Who you are to the registry.'
                '--password-stdin' = 'Read the password (or token) from standard input.'
                '--plain-http' = 'Speak HTTP to the registry; loopback ones need no flag.'
                '--ca-file' = 'Trust the certificates in this PEM file too, for the registry.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '-u' = $null
                '--username' = $null
                '--ca-file' = $null
            }
        }
        'smolctl logout' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, 'registries')
            Repeats = $false
            Options = [ordered]@{
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl logs' = @{
            Commands = [ordered]@{
                'on' = 'Keep each prompt and reply from now on.'
                'off' = 'Keep no more; what is kept stays.'
                'status' = 'Show whether the log is on, and what is in it.'
                'path' = 'Print where the log is.'
                'list' = 'Show the last prompts and replies (also: ls).'
                'rm' = 'Delete what was kept (also: remove).'
            }
            Aliases = [ordered]@{
                'ls' = 'list'
                'remove' = 'rm'
            }
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '-n' = 'How many; 3 unless of one conversation, 0 for all.'
                '--count' = 'How many; 3 unless of one conversation, 0 for all.'
                '-q' = 'Only with all of these in prompt or reply.'
                '--query' = 'Only with all of these in prompt or reply.'
                '-m' = 'Only of this model.'
                '--model' = 'Only of this model.'
                '--session' = 'Only of this conversation, by name or number.'
                '-c' = 'Only of the last conversation.'
                '--continue' = 'Only of the last conversation.'
                '-r' = 'Print the last reply alone, as it came.'
                '--response' = 'Print the last reply alone, as it came.'
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '-n' = $null
                '--count' = $null
                '-q' = $null
                '--query' = $null
                '-m' = 'models'
                '--model' = 'models'
                '--session' = 'sessions'
            }
        }
        'smolctl logs on' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl logs off' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl logs status' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl logs path' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl logs list' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '-n' = 'How many; 3 unless of one conversation, 0 for all.'
                '--count' = 'How many; 3 unless of one conversation, 0 for all.'
                '-q' = 'Only with all of these in prompt or reply.'
                '--query' = 'Only with all of these in prompt or reply.'
                '-m' = 'Only of this model.'
                '--model' = 'Only of this model.'
                '--session' = 'Only of this conversation, by name or number.'
                '-c' = 'Only of the last conversation.'
                '--continue' = 'Only of the last conversation.'
                '-r' = 'Print the last reply alone, as it came.'
                '--response' = 'Print the last reply alone, as it came.'
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '-n' = $null
                '--count' = $null
                '-q' = $null
                '--query' = $null
                '-m' = 'models'
                '--model' = 'models'
                '--session' = 'sessions'
            }
        }
        'smolctl logs rm' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, $null)
            Repeats = $true
            Options = [ordered]@{
                '--older-than' = 'Only what is older: 30d, 12h, 2w.'
                '-y' = 'Delete without a question, also in a script.'
                '--yes' = 'Delete without a question, also in a script.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--older-than' = $null
            }
        }
        'smolctl completion' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @(, @('bash', 'zsh', 'fish', 'powershell'))
            Repeats = $false
            Options = [ordered]@{
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
        'smolctl demo' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--home' = 'The folder where the demo keeps its models.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{
                '--home' = $null
            }
        }
        'smolctl version' = @{
            Commands = [ordered]@{}
            Aliases = [ordered]@{}
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{
                '--json' = 'Print JSON.'
                '--debug' = 'Show tracebacks, and the log of llama.cpp.'
                '-h' = 'Show this message and exit.'
                '--help' = 'Show this message and exit.'
            }
            Valued = [ordered]@{}
        }
    }

    $path = 'smolctl'
    $count = 0
    $pending = $null
    $onlyArguments = $false
    foreach ($element in @($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition -and $wordToComplete -ne '') { break }
        if ($element.Extent.StartOffset -ge $cursorPosition) { break }
        $word = $element.Extent.Text
        $known = $tree[$path]
        if ($null -ne $pending) {
            $pending = $null
        } elseif (-not $onlyArguments -and $word -ceq '--') {
            $onlyArguments = $true
        } elseif (-not $onlyArguments -and $word -like '-?*') {
            if ($word -notlike '--*=*' -and $known.Valued.Contains($word)) { $pending = $word }
        } else {
            if ($known.Aliases.Contains($word)) { $word = $known.Aliases[$word] }
            if ($known.Commands.Contains($word)) {
                $path = "$path $word"
            } else {
                $count++
            }
        }
    }
    $known = $tree[$path]

    $head = ''
    $typed = $wordToComplete
    $kind = $null
    $offered = [ordered]@{}
    if ($null -ne $pending) {
        $kind = $known.Valued[$pending]
    } elseif (-not $onlyArguments -and $typed -like '--*=*') {
        $head = $typed.Substring(0, $typed.IndexOf('=') + 1)
        $typed = $typed.Substring($head.Length)
        $kind = $known.Valued[$head.TrimEnd('=')]
    } elseif (-not $onlyArguments -and $typed -like '-*') {
        $offered = $known.Options
    } elseif ($known.Commands.Count) {
        $offered = $known.Commands
        # An alias is offered to who begins to type one, and does not crowd the list.
        if (-not @($offered.Keys | Where-Object { $_.StartsWith($typed) }).Count) {
            $offered = $known.Aliases
        }
    } elseif ($count -lt $known.Arguments.Count) {
        $kind = $known.Arguments[$count]
    } elseif ($known.Repeats) {
        $kind = $known.Arguments[-1]
    }

    if ($kind -is [array]) {
        foreach ($word in $kind) { $offered[$word] = $word }
    } elseif ($kind -and $typed -notmatch '^(\.{1,2}[\\/]|[\\/~]|[A-Za-z]:\\)') {
        foreach ($line in @(& smolctl __complete $kind $typed 2>$null)) {
            $name, $note = "$line" -split "`t", 2
            # What PowerShell would take for more than a word is no name.
            if ($name -match '^[A-Za-z0-9\[][A-Za-z0-9._/:@\[\]-]*$') { $offered[$name] = "$note" }
        }
    }

    foreach ($name in @($offered.Keys)) {
        if (-not $name.StartsWith($typed)) { continue }
        $type = if ($name.StartsWith('-')) { 'ParameterName' } else { 'ParameterValue' }
        $note = if ($offered[$name]) { $offered[$name] } else { $name }
        [System.Management.Automation.CompletionResult]::new("$head$name", $name, $type, $note)
    }
}
