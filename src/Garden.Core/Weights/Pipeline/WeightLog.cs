using Microsoft.Extensions.Logging;

namespace Garden.Weights;

/// <summary>Log messages of weight updates; event ids are stable.</summary>
internal static partial class WeightLog
{
    [LoggerMessage(3001, LogLevel.Information, "Trainer rank {Rank} could not be told that step {Step} begins or how it ended: {Reason}")]
    public static partial void TrainerNotTold(ILogger logger, int rank, long step, string reason);
}
