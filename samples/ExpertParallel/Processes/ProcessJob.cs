using System.Globalization;

namespace ExpertParallel.Processes;

/// <summary>The leader of a job with a process a rank: the control plane, by lines over pipes. It may kill a rank, and bring it back.</summary>
internal sealed class ProcessJob : IDisposable
{
    private readonly SampleOptions _options;
    private readonly RankProcess[] _ranks;
    private readonly double _allowed;
    private uint _round = 1;

    private ProcessJob(SampleOptions options)
    {
        _options = options;
        _allowed = options.Bf16 ? 1e-5 : 9e-4;
        _ranks = [.. Enumerable.Range(0, options.Ranks).Select(static rank => new RankProcess(rank))];
    }

    public static async Task<int> RunAsync(SampleOptions options, CancellationToken cancellationToken)
    {
        using var job = new ProcessJob(options);
        foreach (RankProcess rank in job._ranks)
            await rank.StartedAsync(cancellationToken);
        await AskAsync(job._ranks, job.ConnectAll(), cancellationToken);
        bool right = true;
        for (int round = 0; round < options.Rounds; round++)
            right &= await job.RoundAsync(job._ranks, cancellationToken);
        if (options.Kill is { } victim)
            right &= await job.KillAndReviveAsync(victim, cancellationToken);
        Console.WriteLine(right ? $"{options.Ranks} processes, {job._round - 1} rounds: all right." : "FAILED: see above.");
        return right ? 0 : 1;
    }

    public void Dispose()
    {
        foreach (RankProcess rank in _ranks)
            rank.Dispose();
    }

    private async Task<bool> KillAndReviveAsync(int victim, CancellationToken cancellationToken)
    {
        RankProcess[] others = [.. _ranks.Where(rank => rank.Rank != victim)];
        await AskAsync(others, $"send {_options.Tokens}", cancellationToken);
        await _ranks[victim].KillAsync(cancellationToken);
        Console.WriteLine($"Rank {victim} was killed while the others' rows of round {_round} were on their way.");
        bool right = true;
        foreach ((RankProcess rank, string answer) in others.Zip(await AskAsync(others, "finish", cancellationToken)))
        {
            // Another one may be missing too when the death is known, but is there a moment later.
            string[] words = answer.Split(' ');
            bool named = words[0] == "missing" && words[1].Split(',').Contains(victim.ToString(CultureInfo.InvariantCulture));
            Console.WriteLine($"Rank {rank.Rank}: {answer}{(named ? " s" : "; it had to name the dead rank")}");
            right &= named;
        }

        await AskAsync(others, $"mask {victim}", cancellationToken);
        right &= Check(others, await AskAsync(others, "finish", cancellationToken), $"round {_round++} without rank {victim}");
        right &= await RoundAsync(others, cancellationToken);
        _ranks[victim].Dispose();
        _ranks[victim] = new RankProcess(victim);
        await _ranks[victim].StartedAsync(cancellationToken);
        await AskAsync(others, $"connect {_round} {_ranks[victim].Address}", cancellationToken);
        await AskAsync([_ranks[victim]], ConnectAll(), cancellationToken);
        Console.WriteLine($"Rank {victim} is back, from round {_round} on.");
        for (int round = 0; round < 2; round++)
            right &= await RoundAsync(_ranks, cancellationToken);
        return right;
    }

    private string ConnectAll() => $"connect {_round} {string.Join(' ', _ranks.Select(static rank => rank.Address))}";

    private async Task<bool> RoundAsync(RankProcess[] ranks, CancellationToken cancellationToken)
    {
        await AskAsync(ranks, $"send {_options.Tokens}", cancellationToken);
        return Check(ranks, await AskAsync(ranks, "finish", cancellationToken), $"round {_round++} of {ranks.Length} ranks");
    }

    private bool Check(RankProcess[] ranks, string[] answers, string what)
    {
        bool right = true;
        double worst = 0;
        foreach ((RankProcess rank, string answer) in ranks.Zip(answers))
        {
            string[] words = answer.Split(' ');
            double difference = words[0] == "difference" ? double.Parse(words[1], CultureInfo.InvariantCulture) : double.NaN;
            if (!(difference <= _allowed))
                Console.WriteLine($"Rank {rank.Rank}, {what}: {answer}, {_allowed} is allowed");
            right &= difference <= _allowed;
            worst = Math.Max(worst, difference);
        }

        Console.WriteLine($"{what}: cosine difference {worst:0.0e+0} of {_allowed:0.0e+0} allowed");
        return right;
    }

    /// <summary>Tells all the same, then waits for all answers.</summary>
    private static async Task<string[]> AskAsync(RankProcess[] ranks, string line, CancellationToken cancellationToken)
    {
        foreach (RankProcess rank in ranks)
            rank.Tell(line);
        return await Task.WhenAll(ranks.Select(rank => rank.ReadAsync(cancellationToken)));
    }
}
