using System.IO.Hashing;

namespace Garden.Weights;

/// <summary>What ranks compare before they trust each other's schedule.</summary>
internal static class WeightScheduleTerms
{
    /// <summary>The meshes of a schedule.</summary>
    /// <exception cref="PlanException">It was made for another map.</exception>
    public static WeightMeshes<TMap> MeshesOf<TMap>(WeightSchedule schedule)
        where TMap : unmanaged, IWeightShardMap<TMap> => schedule.MapHash == TMap.MapHash
            ? WeightMeshes<TMap>.Create(schedule.Trainer, schedule.Inference)
            : throw new PlanException($"The schedule was made for map {schedule.MapHash:x16}; {typeof(TMap).Name} is {TMap.MapHash:x16}. Plan with this map.");

    /// <summary>The terms of a rank with this schedule.</summary>
    public static WeightTerms Of(WeightSchedule schedule, bool verifies) =>
        new(schedule.MapHash, XxHash3.HashToUInt64(schedule.ToBytes()), verifies);
}
