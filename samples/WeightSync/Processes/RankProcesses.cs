using System.Diagnostics;

namespace WeightSync;

/// <summary>A process a rank, with this one's command line. None outlives this one.</summary>
internal static class RankProcesses
{
    /// <summary>Waits for all ranks; 0 when all ended well, apart from one that was to be killed.</summary>
    public static async Task<int> RunAsync(SampleOptions options, CancellationToken cancellationToken)
    {
        var processes = new List<(string Name, Process Process)>();
        try
        {
            for (int rank = 0; rank < options.Inference; rank++)
                processes.Add(($"inference{rank}", Start(options, Role.Inference, rank)));
            for (int rank = 0; rank < options.Trainers; rank++)
                processes.Add(($"trainer{rank}", Start(options, Role.Trainer, rank)));
            if (options.Kill is { } victim)
                await KillAsync(options, processes[victim].Process, cancellationToken);
            foreach ((_, Process process) in processes)
                await process.WaitForExitAsync(cancellationToken);
            string[] failed = [.. processes.Where((entry, i) => entry.Process.ExitCode != 0 && i != options.Kill).Select(entry => $"{entry.Name} (code {entry.Process.ExitCode})")];
            Console.WriteLine(failed.Length == 0 ? $"{processes.Count} processes ended well." : $"Failed: {string.Join(", ", failed)}");
            return failed.Length == 0 ? 0 : 1;
        }
        finally
        {
            foreach ((_, Process process) in processes)
            {
                if (!process.HasExited)
                    process.Kill();
                process.Dispose();
            }
        }
    }

    /// <summary>Kills a rank when the first trainer rank says that it is in the middle of the last step.</summary>
    private static async Task KillAsync(SampleOptions options, Process victim, CancellationToken cancellationToken)
    {
        string signal = Path.Combine(options.Place!, MidUpdate.FileName);
        while (!File.Exists(signal) && !victim.HasExited)
            await Task.Delay(5, cancellationToken);
        victim.Kill();
        await victim.WaitForExitAsync(cancellationToken);
        Console.WriteLine($"inference{options.Kill} was killed in the middle of step {options.Steps}.");
        File.Delete(signal);
    }

    private static Process Start(SampleOptions options, Role role, int rank)
    {
        string[] line = Environment.GetCommandLineArgs();
        string program = Environment.ProcessPath!;
        // Started as "dotnet WeightSync.dll …", the program is dotnet and the line's first part its first argument.
        IEnumerable<string> arguments = Path.GetFileNameWithoutExtension(program) == "dotnet" ? line : line.Skip(1);
        IEnumerable<string> own = ["--role", $"{role}", "--rank", $"{rank}", "--place", options.Place!, "--checkpoint", options.Checkpoint!];
        return Process.Start(program, [.. WithoutPlaces(arguments), .. own])!;
    }

    /// <summary>The line without --checkpoint and --place, which every rank is given as this process has them.</summary>
    private static IEnumerable<string> WithoutPlaces(IEnumerable<string> arguments)
    {
        bool skip = false;
        foreach (string argument in arguments)
        {
            bool isPlace = argument is "--checkpoint" or "--place";
            if (!skip && !isPlace && !argument.StartsWith("--checkpoint=", StringComparison.Ordinal) && !argument.StartsWith("--place=", StringComparison.Ordinal))
                yield return argument;
            skip = isPlace;
        }
    }
}
