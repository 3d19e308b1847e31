using System.CommandLine;

namespace Garden.Perf.Weights.Update;

/// <summary><c>garden-perf weights update</c>: a whole update between processes beside the bare provider.</summary>
internal static class UpdateCommand
{
    public static Command Create(Option<bool> json)
    {
        var rounds = new Option<int>("--rounds") { Description = "Updates that are measured.", DefaultValueFactory = static _ => 9 };
        var node = new Option<int?>("--node") { Hidden = true };
        var directory = new Option<string?>("--directory") { Hidden = true };
        var command = new Command("update", "2 GiB from two trainer to two inference processes over tcp, beside the same bytes on the bare provider in the same run.")
        {
            rounds, node, directory,
        };
        command.SetAction(async (parse, _) =>
        {
            try
            {
                if (parse.GetValue(node) is { } index)
                {
                    await UpdateNode.RunAsync(new UpdatePlan(parse.GetValue(directory)!), index);
                    return 0;
                }

                await UpdateScenario.RunAsync(new Report(parse.GetValue(json)), parse.GetValue(rounds));
                return 0;
            }
            catch (Exception exception) when (exception is GardenException or InvalidDataException or TimeoutException)
            {
                await Console.Error.WriteLineAsync(exception.Message);
                return 1;
            }
        });
        return command;
    }
}
