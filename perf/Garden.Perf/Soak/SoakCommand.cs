using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace Garden.Perf.Soak;

/// <summary><c>garden-perf soak</c>: mixed random traffic between processes, every byte hashed, nothing may grow.</summary>
internal static class SoakCommand
{
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(150);

    public static Command Create(Option<bool> json)
    {
        var fabric = new Option<string>("--fabric") { Description = "tcp (on 127.0.0.1) or shm.", DefaultValueFactory = static _ => "tcp" };
        fabric.AcceptOnlyFromAmong("tcp", "shm");
        var processes = new Option<int>("--processes") { Description = "2 to 4.", DefaultValueFactory = static _ => 3 };
        processes.AcceptOnlyFromAmong("2", "3", "4");
        var seconds = new Option<int>("--seconds") { Description = "How long.", DefaultValueFactory = static _ => 600 };
        var seed = new Option<int?>("--seed") { Description = "Seed of everything random; printed when it is not given." };
        var node = new Option<int?>("--node") { Hidden = true };
        var directory = new Option<string?>("--directory") { Hidden = true };
        var command = new Command("soak", "Random single and paged writes, scatters, barriers and messages between processes at once, compared by hash; memory and file descriptors must not grow.")
        {
            fabric, processes, seconds, seed, node, directory,
        };
        command.SetAction(async (parse, cancellationToken) =>
        {
            var plan = new SoakPlan(
                parse.GetValue(fabric)!,
                parse.GetValue(processes),
                TimeSpan.FromSeconds(parse.GetValue(seconds)),
                parse.GetValue(seed) ?? Environment.TickCount,
                parse.GetValue(directory) ?? System.IO.Directory.CreateTempSubdirectory("garden-soak-").FullName);
            if (parse.GetValue(node) is { } index)
                return await RunNodeAsync(plan, index, new Report(parse.GetValue(json)));
            try
            {
                return await RunAllAsync(plan, parse.GetValue(json), cancellationToken);
            }
            finally
            {
                System.IO.Directory.Delete(plan.Directory, recursive: true);
            }
        });
        return command;
    }

    private static async Task<int> RunNodeAsync(SoakPlan plan, int index, Report report)
    {
        try
        {
            await using var node = new SoakNode(plan, index);
            List<string> errors = await node.RunAsync(report);
            foreach (string error in errors)
                await Console.Error.WriteLineAsync($"node {index}: {error}");
            return errors.Count == 0 ? 0 : 1;
        }
        catch (Exception exception) when (exception is GardenException or InvalidDataException or TimeoutException)
        {
            await Console.Error.WriteLineAsync($"node {index}: {exception.Message}");
            return 1;
        }
    }

    private static async Task<int> RunAllAsync(SoakPlan plan, bool json, CancellationToken cancellationToken)
    {
        Console.WriteLine(json ? $"{{\"scenario\":\"soak\",\"seed\":{plan.Seed}}}" : $"seed {plan.Seed}");
        var children = new List<Process>();
        try
        {
            for (int node = 0; node < plan.Nodes; node++)
                children.Add(Start(plan, node, json));
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(plan.Time + s_grace);
            await Task.WhenAll(children.Select(child => child.WaitForExitAsync(limit.Token)));
            return children.TrueForAll(static child => child.ExitCode == 0) ? 0 : 1;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync($"The nodes did not end within {(plan.Time + s_grace).TotalSeconds:0} s.");
            return 1;
        }
        finally
        {
            foreach (Process child in children)
            {
                if (!child.HasExited)
                    child.Kill();
                child.Dispose();
            }
        }
    }

    private static Process Start(SoakPlan plan, int node, bool json)
    {
        string program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program);
        // Started as "dotnet garden-perf.dll …", the program is dotnet.
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        foreach (string argument in (string[])
        [
            "soak", "--fabric", plan.Fabric, "--processes", Text(plan.Nodes), "--seconds", Text((int)plan.Time.TotalSeconds),
            "--seed", Text(plan.Seed), "--directory", plan.Directory, "--node", Text(node), .. json ? (string[])["--json"] : [],
        ])
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
